//! Messages go both ways, a device misses some, and the service is left with nothing.

use anyhow::Result;
use plasma_client::{ChatId, DeliveryState};

use super::opening::Stage;
use super::people::Cast;
use crate::person::{Gadget, until};
use crate::transcript::Transcript;

/// Tells the conversation.
pub async fn both_ways(
    transcript: &mut Transcript,
    stage: &Stage,
    cast: &mut Cast,
    chat: ChatId,
) -> Result<()> {
    transcript.chapter("Messages go both ways");
    cast.ann.online().await?;
    cast.bob.online().await?;
    transcript.step("all four devices are online");
    let lines = [
        (true, "Do you restore oil paintings?"),
        (false, "Since 1998. What is it?"),
        (true, "A harbour at dawn, with a tear in the sky"),
        (false, "Send me a photograph and I will look"),
    ];
    let mut said = Vec::new();
    for (by_ann, line) in lines {
        let text = transcript.saying(line);
        let person = if by_ann { &cast.ann } else { &cast.bob };
        let report = person.say(chat, &text).await?;
        let delivered = report.count(DeliveryState::Delivered);
        transcript.step(&format!("{:>3}: {text}", person.name));
        transcript.detail(
            "devices",
            format!("{delivered} delivered, {} stored", report.deliveries.len() - delivered),
        );
        said.push(text);
        for gadget in gadgets(cast) {
            gadget.shows(chat, said.last().map_or("", String::as_str)).await?;
        }
    }
    check_everyone_shows(
        transcript,
        cast,
        chat,
        "every device of both shows the same messages in the same order",
        &said,
    )?;
    offline(transcript, cast, chat, &mut said).await?;
    check_everyone_shows(
        transcript,
        cast,
        chat,
        "the device that was offline has caught up, in order and nothing twice",
        &said,
    )?;

    let mut left = stage.envelopes()?;
    // Acknowledgements go out in batches, and their deletion is one as well.
    let empty = until("the service to hold no envelope", || {
        left = stage.envelopes()?;
        Ok(left == 0)
    });
    let emptied = empty.await.is_ok();
    transcript.check(
        "all is acknowledged and the service holds no envelope",
        emptied,
        format!("{left} envelopes"),
    );
    let odd: Vec<String> = gadgets(cast).flat_map(Gadget::odd).collect();
    transcript.check(
        "no device met anything that it could not open",
        odd.is_empty(),
        format!("{} oddities {}", odd.len(), odd.join("; ")),
    );
    Ok(())
}

async fn offline(
    transcript: &mut Transcript,
    cast: &mut Cast,
    chat: ChatId,
    said: &mut Vec<String>,
) -> Result<()> {
    cast.bob.laptop_mut().offline();
    transcript.step("Bob’s laptop is closed");
    let mut stored = 0;
    for line in ["It hung above a stove", "For forty years", "Can it be cleaned?"] {
        let text = transcript.saying(line);
        let report = cast.ann.say(chat, &text).await?;
        stored += report.count(DeliveryState::Stored);
        transcript.step(&format!("{:>3}: {text}", cast.ann.name));
        cast.bob.phone().shows(chat, &text).await?;
        said.push(text);
    }
    transcript.detail("envelopes stored", stored);
    let missing = cast.bob.laptop_mut().texts(chat)?.len() + 3 == said.len();
    cast.bob.laptop_mut().online().await?;
    transcript.step("Bob’s laptop is opened again");
    for gadget in gadgets(cast) {
        gadget.shows(chat, said.last().map_or("", String::as_str)).await?;
    }
    transcript.check(
        "what a device misses is stored for it",
        missing && stored >= 3,
        format!("{stored} stored"),
    );
    Ok(())
}

fn gadgets(cast: &Cast) -> impl Iterator<Item = &Gadget> {
    cast.ann.gadgets.iter().chain(&cast.bob.gadgets)
}

fn check_everyone_shows(
    transcript: &mut Transcript,
    cast: &Cast,
    chat: ChatId,
    promise: &str,
    said: &[String],
) -> Result<()> {
    let mut right = 0;
    for gadget in gadgets(cast) {
        right += usize::from(gadget.texts(chat)? == said);
    }
    transcript.check(
        promise,
        right == 4,
        format!("{} messages on {right} of 4 devices", said.len()),
    );
    Ok(())
}
