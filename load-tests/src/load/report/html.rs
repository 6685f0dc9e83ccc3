//! The page: one file that needs nothing else.

use std::fmt::Write as _;

use super::plot::{Chart, Line, Scale};
use super::{COLUMNS, Outcome, Phase, row};
use crate::load::series::Point;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;\
padding:0 1em;color:#222}table{border-collapse:collapse;font-size:13px;width:100%}\
th,td{padding:.3em .5em;border-bottom:1px solid #ddd;text-align:right}\
th:first-child,td:first-child{text-align:left}svg{width:100%;height:auto}\
svg text{font:12px system-ui,sans-serif;fill:#555}.grid{stroke:#e4e4e4}\
.line{fill:none;stroke-width:1.8}.clean{color:#00643e}.broken{color:#b00020}\
pre{white-space:pre-wrap;font-size:13px}";

pub(super) fn page(outcome: &Outcome) -> String {
    let title = format!("plasma-load {} on {}", outcome.profile.name(), outcome.target);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n",
        title = escape(&title)
    );
    let mut add = |part: String| {
        page.push_str(&part);
        page.push('\n');
    };
    let class = if outcome.is_clean { "clean" } else { "broken" };
    add(format!("<pre class=\"{class}\">{}</pre>", escape(&outcome.verdict.to_string())));
    add(format!(
        "<p>{} opaque and {} sealed devices, {} node(s), {} bytes of ciphertext, {:?} transport, \
         seed {}.</p>",
        outcome.devices,
        outcome.sealed_devices,
        outcome.nodes,
        outcome.ciphertext_length,
        outcome.transport,
        outcome.seed
    ));
    add(table(&outcome.phases));
    add("<p>Latencies count from the moment at which a message was due to its first arrival at a \
         device that was there.</p>"
        .to_owned());
    add(chart("Latency over time", &latencies(&outcome.series)));
    add(chart("Messages over time", &rates(&outcome.series)));
    add(chart("How many wait how long", &distribution(&outcome.phases)));
    add(chart("More in flight", &saturation(&outcome.phases)));
    add(beneath(outcome));
    page.push_str("</body></html>\n");
    page
}

fn chart(title: &str, chart: &Chart) -> String {
    let svg = chart.svg();
    if svg.is_empty() { svg } else { format!("<h2>{title}</h2>\n{svg}") }
}

fn line(name: &'static str, series: &[Point], value: impl Fn(&Point) -> f64) -> Line {
    Line { name, points: series.iter().map(|point| (point.at, value(point))).collect() }
}

fn latencies(series: &[Point]) -> Chart {
    Chart {
        across: "seconds",
        up: "milliseconds",
        across_scale: Scale::Linear,
        up_scale: Scale::Logarithmic,
        lines: vec![
            line("p50", series, |point| point.p50),
            line("p99", series, |point| point.p99),
            line("max", series, |point| point.max),
        ],
    }
}

fn rates(series: &[Point]) -> Chart {
    Chart {
        across: "seconds",
        up: "messages per second",
        across_scale: Scale::Linear,
        up_scale: Scale::Linear,
        lines: vec![
            line("sent", series, |point| point.sent),
            line("received", series, |point| point.received),
        ],
    }
}

/// Of the phase in which most was delivered to devices that were there.
fn distribution(phases: &[Phase]) -> Chart {
    let phase = phases.iter().max_by_key(|phase| phase.delivery.count);
    let points = phase.map_or_else(Vec::new, |phase| {
        // Nines are even steps: 90, 99, 99.9 of 100 …
        let nines = phase.distribution.iter().filter(|(part, _)| *part < 1.0);
        nines.map(|(part, millis)| (1.0 / (1.0 - part), *millis)).collect()
    });
    Chart {
        across: "one of so many waits longer",
        up: "milliseconds",
        across_scale: Scale::Logarithmic,
        up_scale: Scale::Logarithmic,
        lines: vec![Line { name: "delivery", points }],
    }
}

/// Of the phases that say how many messages were in flight, where there are several.
fn saturation(phases: &[Phase]) -> Chart {
    let steps: Vec<(f64, &Phase)> = phases
        .iter()
        .filter_map(|phase| Some((phase.more.get("in_flight")?.as_f64()?, phase)))
        .collect();
    let points = if steps.len() < 2 {
        Vec::new()
    } else {
        steps.iter().map(|(in_flight, phase)| (*in_flight, phase.received_per_second)).collect()
    };
    Chart {
        across: "messages in flight",
        up: "messages per second",
        across_scale: Scale::Logarithmic,
        up_scale: Scale::Linear,
        lines: vec![Line { name: "throughput", points }],
    }
}

fn table(phases: &[Phase]) -> String {
    let mut table = String::from("<table><thead><tr>");
    for column in COLUMNS {
        // Writing to a string never fails.
        let _ = write!(table, "<th>{}</th>", escape(column));
    }
    table.push_str("</tr></thead><tbody>");
    for phase in phases {
        table.push_str("<tr>");
        for cell in row(phase) {
            let _ = write!(table, "<td>{}</td>", escape(&cell));
        }
        table.push_str("</tr>");
    }
    table.push_str("</tbody></table>");
    table
}

fn beneath(outcome: &Outcome) -> String {
    let mut list = String::from("<h2>Beneath</h2>\n<table>");
    for (happening, count) in &outcome.happenings {
        let _ = write!(list, "<tr><td>{happening:?}</td><td>{count}</td></tr>");
    }
    for (why, count) in &outcome.failures {
        let _ = write!(list, "<tr><td>failed: {}</td><td>{count}</td></tr>", escape(why));
    }
    for (key, value) in &outcome.more {
        let value = escape(&value.to_string());
        let _ = write!(list, "<tr><td>{}</td><td>{value}</td></tr>", escape(key));
    }
    list.push_str("</table>");
    list
}

/// Text that shows as itself: what a service answers is in the report.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
