//! What people do on a day, and what follows for its busiest minutes: one model for the profile
//! `peak`, which plays it, and for `size`, which reckons with it.

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

/// What people do on a day, and what follows for its busiest minutes.
///
/// The numbers of people are assumptions on the high side, each written down here; what follows
/// from them is arithmetic. Arrivals are independent of each other (Poisson).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Args)]
pub struct Model {
    /// Users who come on a day
    #[arg(long, default_value_t = DAY.users)]
    pub users: f64,
    /// Messages that each writes on a day
    #[arg(long, default_value_t = DAY.messages_per_user)]
    pub messages_per_user: f64,
    /// Times that each opens the app on a day
    #[arg(long, default_value_t = DAY.visits_per_user)]
    pub visits_per_user: f64,
    /// Minutes that a visit lasts
    #[arg(long, default_value_t = DAY.minutes_per_visit)]
    pub minutes_per_visit: f64,
    /// Chats that each opens on a day
    #[arg(long, default_value_t = DAY.chats_per_user)]
    pub chats_per_user: f64,
    /// The part of a day's traffic that falls into its busiest hour; evenly spread it would be 1/24
    #[arg(long, default_value_t = DAY.share_of_peak_hour)]
    pub share_of_peak_hour: f64,
    /// How much more than the mean of that hour its busiest minutes have
    #[arg(long, default_value_t = DAY.busiest_minutes)]
    pub busiest_minutes: f64,
}

/// The day that `peak` plays.
const DAY: Model = Model {
    users: 10_000.0,
    messages_per_user: 60.0,
    visits_per_user: 15.0,
    minutes_per_visit: 5.0,
    chats_per_user: 1.0,
    share_of_peak_hour: 0.15,
    busiest_minutes: 2.0,
};

impl Default for Model {
    fn default() -> Self {
        DAY
    }
}

/// What follows from a model, per second in the mean of the peak hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Derived {
    /// Messages.
    pub messages_per_second: f64,
    /// Messages in the busiest minutes.
    pub messages_per_second_in_busiest_minutes: f64,
    /// Visits.
    pub visits_per_second: f64,
    /// Chats opened.
    pub chats_per_second: f64,
    /// Devices connected at a time: arrivals times the length of a visit (Little's law).
    pub devices_connected: f64,
}

impl Model {
    /// The same people, others in number.
    #[must_use]
    pub fn of_users(self, users: f64) -> Self {
        Self { users, ..self }
    }

    /// What each user does so often on a day happens so often per second in the peak hour.
    pub fn per_second(&self, per_user: f64) -> f64 {
        self.users * per_user * self.share_of_peak_hour / 3_600.0
    }

    /// What follows.
    pub fn derived(&self) -> Derived {
        let messages_per_second = self.per_second(self.messages_per_user);
        let visits_per_second = self.per_second(self.visits_per_user);
        Derived {
            messages_per_second,
            messages_per_second_in_busiest_minutes: messages_per_second * self.busiest_minutes,
            visits_per_second,
            chats_per_second: self.per_second(self.chats_per_user),
            devices_connected: visits_per_second * self.minutes_per_visit * 60.0,
        }
    }

    /// Fails where no people can be like that, and says which number is wrong.
    pub fn check(&self) -> Result<()> {
        let positive = [
            ("users", self.users),
            ("messages-per-user", self.messages_per_user),
            ("visits-per-user", self.visits_per_user),
            ("minutes-per-visit", self.minutes_per_visit),
        ];
        for (name, value) in positive {
            ensure!(value.is_finite() && value > 0.0, "--{name} must be above 0, and is {value}");
        }
        let chats = self.chats_per_user;
        ensure!(chats.is_finite() && chats >= 0.0, "--chats-per-user is below 0: {chats}");
        let share = self.share_of_peak_hour;
        ensure!(
            (1.0 / 24.0..=1.0).contains(&share),
            "--share-of-peak-hour must be from 1/24 to 1, and is {share}"
        );
        let busiest = self.busiest_minutes;
        ensure!(
            (1.0..=60.0).contains(&busiest),
            "--busiest-minutes must be from 1 to 60 times the mean, and is {busiest}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Model;

    #[test]
    fn the_model_adds_up_to_a_day() {
        let (model, derived) = (Model::default(), Model::default().derived());
        // Evenly spread, 10,000 users with 60 messages write 6.9 a second.
        let evenly = model.users * model.messages_per_user / 86_400.0;
        assert!((evenly - 6.94).abs() < 0.01);
        assert!((derived.messages_per_second - 25.0).abs() < 1e-9);
        assert!((derived.messages_per_second_in_busiest_minutes - 50.0).abs() < 1e-9);
        assert!((derived.visits_per_second - 6.25).abs() < 1e-9);
        assert!((derived.devices_connected - 1_875.0).abs() < 1e-9);
    }

    #[test]
    fn people_who_cannot_be_are_refused_by_name() {
        Model::default().check().unwrap();
        let wrong = [
            (Model { users: 0.0, ..Model::default() }, "--users"),
            (Model { messages_per_user: f64::NAN, ..Model::default() }, "--messages-per-user"),
            (Model { share_of_peak_hour: 0.01, ..Model::default() }, "--share-of-peak-hour"),
            (Model { busiest_minutes: 0.5, ..Model::default() }, "--busiest-minutes"),
        ];
        for (model, name) in wrong {
            let error = model.check().unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
