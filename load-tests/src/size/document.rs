//! A document whose tables are printed and not typed: what stands between two marks is replaced.

use std::path::Path;

use anyhow::{Context, Result};

/// Replaces what stands between `<!-- mark -->` and `<!-- /mark -->`.
pub(super) fn put(path: &Path, mark: &str, tables: &str) -> Result<()> {
    let name = path.display();
    let document = std::fs::read_to_string(path).with_context(|| format!("read {name}"))?;
    let replaced = replace(&document, mark, tables)
        .with_context(|| format!("{name} has no place for <!-- {mark} --> … <!-- /{mark} -->"))?;
    std::fs::write(path, replaced).with_context(|| format!("write {name}"))
}

fn replace(document: &str, mark: &str, tables: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {mark} -->"), format!("<!-- /{mark} -->"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", tables.trim()))
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn what_stands_between_the_marks_is_replaced_and_nothing_else() {
        let document = "a\n<!-- size -->\nold\n<!-- /size -->\nb <!-- check -->";
        let replaced = replace(document, "size", "new\n").unwrap();
        assert_eq!(replaced, "a\n<!-- size -->\n\nnew\n\n<!-- /size -->\nb <!-- check -->");
        assert_eq!(replace(&replaced, "size", "new\n").unwrap(), replaced);
        assert!(replace(document, "check", "x").is_none());
    }
}
