//! The one table that is printed.

/// One line; what is not measured is absent.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) case: String,
    /// How much.
    pub(crate) figure: f64,
    /// Of what.
    pub(crate) unit: &'static str,
    /// Bytes of one message.
    pub(crate) bytes: Option<f64>,
    /// Instructions for each byte.
    pub(crate) instructions: Option<f64>,
    /// How often one message asks for memory.
    pub(crate) asks: Option<f64>,
    /// Ratio, and to what.
    pub(crate) ratio: Option<(f64, &'static str)>,
    /// What it should be.
    pub(crate) goal: Option<Goal>,
}

/// A goal of the door.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// The figure, at least.
    Least(f64),
    /// The figure, at most.
    Most(f64),
    /// The ratio, at least.
    RatioLeast(f64),
    /// The ratio, at most.
    RatioMost(f64),
}

/// A number people can read.
fn shown(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{:.2} M", value / 1e6),
        v if v >= 1e4 => format!("{:.0} k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

impl Row {
    fn goal(&self) -> String {
        let ratio = self.ratio.map_or(f64::NAN, |(ratio, _)| ratio);
        let (text, holds) = match self.goal {
            None => return String::new(),
            Some(Goal::Least(goal)) => (format!(">= {}", shown(goal)), self.figure >= goal),
            Some(Goal::Most(goal)) => (format!("<= {}", shown(goal)), self.figure <= goal),
            Some(Goal::RatioLeast(goal)) => (format!("ratio >= {goal}"), ratio >= goal),
            Some(Goal::RatioMost(goal)) => (format!("ratio <= {goal}"), ratio <= goal),
        };
        format!("{text} {}", if holds { "holds" } else { "MISSED" })
    }

    fn cells(&self) -> [String; 7] {
        let maybe = |value: Option<f64>| value.map(shown).unwrap_or_default();
        [
            self.case.clone(),
            format!("{} {}", shown(self.figure), self.unit),
            maybe(self.bytes),
            maybe(self.instructions),
            maybe(self.asks),
            self.ratio.map(|(ratio, to)| format!("{ratio:.2} x {to}")).unwrap_or_default(),
            self.goal(),
        ]
    }
}

/// Prints the rows below their heads, every column as wide as its widest cell.
#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
pub(crate) fn print(rows: &[Row]) {
    let heads = ["case", "figure", "bytes", "instr/byte", "allocs", "ratio", "goal"];
    let cells: Vec<_> =
        [heads.map(str::to_owned)].into_iter().chain(rows.iter().map(Row::cells)).collect();
    let width = |n: usize| cells.iter().map(|c| c[n].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    for row in cells {
        let line: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        println!("{}", line.join(" | ").trim_end());
    }
}
