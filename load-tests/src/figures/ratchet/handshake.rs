//! `handshake`: a bundle checked, a session initiated, its first message sealed, accepted and
//! opened, compared with the signatures, agreements and encapsulations without which that cannot
//! be done.

use anyhow::Result;

use super::conversation::Strangers;
use super::{Contest, bare, olm};
use crate::options::{FigureName, Options};
use crate::report::Figure;

pub(super) fn measure(options: &Options) -> Result<Figure> {
    let mut strangers = Strangers::new()?;
    let mut theirs = olm::Strangers::new();
    let bare = bare::Handshake::new()?;
    Contest {
        name: FigureName::Handshake,
        unit: "µs/handshake",
        times: if options.quick { 40 } else { 400 },
        ours: Box::new(move || strangers.meet()),
        bare_is: "its signatures, agreements and KEM",
        bare: Box::new(move || bare.run()),
        vodozemac: Some(Box::new(move || theirs.meet())),
    }
    .hold(options)
}
