//! What is exempt from a rule, each with its reason.

/// Requests without `request_id`, by package and method without the leading `plasma.`.
pub(crate) const FROM_REQUEST_ID: &[(&str, &str)] = &[
    // Reads.
    ("billing.v1.ExplainPrice", "changes nothing"),
    ("billing.v1.GetPrice", "changes nothing"),
    ("billing.v1.GetQuote", "changes nothing"),
    ("billing.v1.GetStatement", "changes nothing"),
    ("billing.v1.GetWallet", "changes nothing"),
    ("billing.v1.ListCharges", "changes nothing"),
    ("billing.v1.ListPasses", "changes nothing"),
    ("billing.v1.ListPrices", "changes nothing"),
    ("billing.v1.ListWalletEntries", "changes nothing"),
    ("messaging.v1.AwaitLinkingMessage", "changes nothing"),
    ("messaging.v1.CountPrekeys", "changes nothing"),
    ("messaging.v1.GetAccount", "changes nothing"),
    ("messaging.v1.GetChat", "changes nothing"),
    ("messaging.v1.GetRecoveryKit", "changes nothing"),
    ("messaging.v1.GetReport", "changes nothing"),
    ("messaging.v1.ListChats", "changes nothing"),
    ("messaging.v1.ListLinks", "changes nothing"),
    ("messaging.v1.ListReports", "changes nothing"),
    ("messaging.v1.Pull", "changes nothing until Acknowledge"),
    ("messaging.v1.Receive", "changes nothing until Acknowledge"),
    ("messaging.v1.ResolveLink", "changes nothing"),
    ("tenant.v1.GetTenant", "changes nothing"),
    ("tenant.v1.ListApiKeys", "changes nothing"),
    ("tenant.v1.ListIdentityProviders", "changes nothing"),
    ("tenant.v1.ListTenants", "changes nothing"),
    ("tenant.v1.LookupUser", "changes nothing"),
    ("tenant.v1.ValidateToken", "changes nothing, the token's jti included"),
    // Writes with a key of their own.
    ("messaging.v1.Connect", "carries calls, each with its key"),
    ("messaging.v1.Send", "message_id is the key"),
    ("messaging.v1.SendControl", "message_id is the key"),
    ("messaging.v1.SendOwn", "message_id is the key"),
    ("messaging.v1.AddDevice", "the manifest's epoch and hash are the key"),
    ("messaging.v1.RegisterFirstDevice", "the manifest's epoch and hash are the key"),
    ("messaging.v1.RenewManifest", "the manifest's epoch and hash are the key"),
    ("messaging.v1.ResetAccount", "the manifest's epoch and hash are the key"),
    ("messaging.v1.RevokeDevice", "the manifest's epoch and hash are the key"),
    ("messaging.v1.StartGeneration", "the manifest's epoch and hash are the key"),
    ("messaging.v1.PostLinkingMessage", "linking_id and number are the key"),
    ("messaging.v1.PublishPrekeys", "each prekey's own id is the key"),
    ("messaging.v1.ExchangeToken", "the token's jti is the key, and is used up"),
    ("messaging.v1.CreateChallenge", "a challenge is never the same twice"),
    ("messaging.v1.CreateSession", "the challenge is the key"),
    ("messaging.v1.TakePrekeyBundles", "never answers with the same key twice"),
    // Writes that the second time change nothing.
    ("messaging.v1.Acknowledge", "deletes what is there and accepts what is not"),
    ("messaging.v1.SignOut", "ends sessions, however often"),
    ("messaging.v1.CancelAccountReset", "cancels what is pending and accepts what is not"),
    ("messaging.v1.RequestAccountReset", "a request that is pending answers again"),
    ("messaging.v1.SetRecoveryKit", "the same kit takes its own place"),
    ("messaging.v1.StartLinking", "another linking ends the one before"),
];

/// Lists without pages.
pub(crate) const FROM_PAGES: &[(&str, &str)] =
    &[("tenant.v1.ListIdentityProviders", "there are 10 at most")];
