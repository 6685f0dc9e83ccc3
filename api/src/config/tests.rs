//! What a configuration may be, and what is refused.

use super::*;

fn defaults() -> Settings {
    Figment::from(Toml::string(DEFAULTS)).extract().unwrap()
}

#[test]
fn the_defaults_are_the_embedded_way_to_run() {
    let config = Config::check(defaults()).unwrap();
    assert!(config.embedded);
    assert_eq!(config.public_url, "http://127.0.0.1:7001");
}

#[test]
fn a_duration_is_a_number_and_a_unit() {
    let cases = [("0s", 0), ("90s", 90), ("15m", 900), ("24h", 86_400), ("30d", 2_592_000)];
    for (text, seconds) in cases {
        assert_eq!(span(text), Some(Duration::from_secs(seconds)), "{text}");
    }
    for text in ["", "s", "24", "-1h", "+1h", "1.5h", "31d", "24 h", "9999999999999999999h", "5µ"]
    {
        assert_eq!(span(text), None, "{text}");
    }
    assert_eq!(Config::check(defaults()).unwrap().account_reset_delay_min.as_secs(), 86_400);
}

#[test]
fn rates_have_defaults_that_can_be_raised_and_taken_away() {
    let config = Config::check(defaults()).unwrap();
    assert_eq!(config.message_rates, MessageRates { device: 50, tenant: 20_000 });
    assert_eq!(config.call_rates, CallRates { device: 100, tenant: 1_000 });
    let mut settings = defaults();
    settings.device_messages_per_second = 0;
    settings.tenant_messages_per_second = RATE_MAX;
    let config = Config::check(settings.clone()).unwrap();
    assert_eq!(config.message_rates, MessageRates { device: 0, tenant: RATE_MAX });
    let shown = config.to_string();
    assert!(shown.contains("messages of a device   unlimited"), "{shown}");
    assert!(shown.contains("calls of a tenant      1000 per second"), "{shown}");
    settings.tenant_calls_per_second = RATE_MAX + 1;
    let refused = Config::check(settings.clone()).unwrap_err().to_string();
    assert!(refused.contains("tenant_calls_per_second"), "{refused}");
    settings.tenant_calls_per_second = 0;
    settings.connections_max = 0;
    assert!(Config::check(settings).unwrap_err().to_string().contains("connections_max"));
}

#[test]
fn an_unknown_variable_is_refused_by_name() {
    let refused = refuse_unknown_variables(["PLASMA_LISTN".to_owned()].into_iter());
    assert!(refused.unwrap_err().to_string().contains("PLASMA_LISTN"));
    let fine = ["PLASMA_LISTEN", "PLASMA_TEST_POSTGRES", "PATH"].map(str::to_owned);
    refuse_unknown_variables(fine.into_iter()).unwrap();
}

#[test]
fn postgres_needs_a_master_key_and_no_secret_is_shown() {
    let mut settings = defaults();
    settings.database_url = "postgres://ann:hunter2@db/plasma".to_owned();
    assert!(Config::check(settings.clone()).is_err());
    settings.master_key = STANDARD.encode([5; 32]);
    settings.operator_key = format!("op_{}", "s3cret".repeat(6));
    let shown = format!("{:?}", Config::check(settings).unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("s3cret"), "{shown}");
    assert!(!shown.contains(&STANDARD.encode([5; 32])), "{shown}");
}
