//! When messages are sent: moments that are fixed before the load begins, whatever the service
//! does meanwhile (open loop). A message that is sent late counts from the moment it was due.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::dice::Dice;

/// A stretch of time with a mean rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Arrivals per second.
    pub rate: f64,
    /// How long.
    pub length: Duration,
}

/// Arrivals of independent users: moments since the beginning, in order.
pub fn schedule(dice: &mut Dice, stretches: &[Stretch]) -> Vec<Duration> {
    let mut moments = Vec::new();
    let mut begun = Duration::ZERO;
    for Stretch { rate, length } in stretches {
        let end = begun + *length;
        if *rate > 0.0 {
            let mean = Duration::from_secs_f64(1.0 / rate);
            // Independent arrivals have no memory: each stretch begins anew.
            let mut at = begun + dice.exponential(mean);
            while at < end {
                moments.push(at);
                at += dice.exponential(mean);
            }
        }
        begun = end;
    }
    moments
}

/// Tells each moment when it comes, from a thread of its own: timers of the runtime have
/// milliseconds, and what loads it must not delay the schedule.
pub fn clockwork(begun: Instant, moments: Vec<Duration>) -> mpsc::UnboundedReceiver<Instant> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for moment in moments {
            let due = begun + moment;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Stretch, clockwork, schedule};
    use crate::dice::Dice;

    fn stretch(rate: f64, seconds: u64) -> Stretch {
        Stretch { rate, length: Duration::from_secs(seconds) }
    }

    #[test]
    fn arrivals_keep_to_the_rate_of_each_stretch() {
        let stretches = [stretch(100.0, 50), stretch(0.0, 10), stretch(400.0, 50)];
        let moments = schedule(&mut Dice::new(3), &stretches);
        assert!(moments.is_sorted());
        let within = |from: u64, to: u64| {
            let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
            moments.iter().filter(|moment| (from..to).contains(*moment)).count()
        };
        // Five standard deviations of a Poisson count.
        assert!((4_650..5_350).contains(&within(0, 50)), "{}", within(0, 50));
        assert_eq!(within(50, 60), 0);
        assert!((19_300..20_700).contains(&within(60, 110)), "{}", within(60, 110));
    }

    #[test]
    fn a_seed_fixes_the_schedule() {
        let moments = |seed| schedule(&mut Dice::new(seed), &[stretch(10.0, 5)]);
        assert_eq!(moments(1), moments(1));
        assert_ne!(moments(1), moments(2));
    }

    #[tokio::test]
    async fn a_receiver_that_is_late_gets_the_moments_as_they_were_due() {
        let begun = Instant::now();
        let moments = vec![Duration::from_millis(1), Duration::from_millis(2)];
        let mut clock = clockwork(begun, moments.clone());
        std::thread::sleep(Duration::from_millis(30));
        for moment in moments {
            assert_eq!(clock.recv().await, Some(begun + moment));
        }
        assert_eq!(clock.recv().await, None);
    }
}
