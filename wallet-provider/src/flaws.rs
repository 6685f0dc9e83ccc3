//! Misunderstandings of the contract, each of which a check of `plasma wallet-check` finds.

/// One misunderstanding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Flaw {
    /// A reserve that comes again is made again.
    RepeatsReserve,
    /// Of equal reserves in parallel each is made.
    RacesItself,
    /// Another body under the same id gets the answer of the first.
    IgnoresOtherBody,
    /// The release of a reserve never seen is forgotten.
    ForgetsRelease,
    /// A release leaves the money aside.
    KeepsReleased,
    /// A reserve that was released can be captured.
    CapturesReleased,
    /// A reserve that was captured can be released, and the money is free again.
    ReleasesCaptured,
    /// A capture of a part takes the whole.
    CapturesWhole,
    /// What was set aside is not captured after all.
    DeclinesCaptures,
    /// What was declined is not released.
    KeepsDeclined,
    /// An operation is shown as it was first.
    ShowsOldState,
    /// A second capture takes more.
    CapturesTwice,
    /// An unknown operation is an error.
    UnknownIsError,
    /// A refund that comes again is made again.
    RepeatsRefund,
    /// More can be given back than was taken.
    RefundsTooMuch,
    /// A reserve needs no money.
    LendsMoney,
    /// Whoever is not known is made known.
    WelcomesStrangers,
    /// What is reserved is still shown as available.
    ShowsReserved,
    /// The list leaves out what was released.
    ListsTooLittle,
    /// Every page of the list is the first.
    RepeatsPage,
    /// The secret is not looked at.
    OpenToAll,
}
