//! Cells that hold what people wrote.

/// A text that no spreadsheet takes for a formula: an apostrophe stands before what would begin
/// one. Numbers of our own making need none, negative ones included.
pub(super) fn text(value: &str) -> String {
    let begins_formula = value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if begins_formula { format!("'{value}") } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn what_would_be_a_formula_has_an_apostrophe_before_it() {
        for formula in ["=1+1", "+49 30", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(text(formula), format!("'{formula}"));
        }
        for plain in ["", "payment 7", "a=b", "'=1", "charge_01h"] {
            assert_eq!(text(plain), plain);
        }
    }
}
