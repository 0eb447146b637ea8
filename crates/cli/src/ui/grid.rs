//! A table of any number of columns that fits a width: long cells are cut, and columns that have no room stand in a
//! further block below.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::table::Align;

/// The least width of a column whose cells are cut.
const CUT_WIDTH_MIN: usize = 12;

/// Blanks between columns.
const GAP: usize = 2;

/// A column: lines at its head, and its cells, one for each row.
#[derive(Debug, Clone)]
pub(crate) struct GridColumn {
    pub(crate) head: Vec<String>,
    pub(crate) align: Align,
    pub(crate) cells: Vec<String>,
}

impl GridColumn {
    fn width(&self) -> usize {
        self.head.iter().chain(&self.cells).map(|cell| cell.width()).max().unwrap_or(0)
    }

    fn lines(&self) -> impl Iterator<Item = (&str, bool)> {
        let head = self.head.iter().map(|cell| (cell.as_str(), true));
        head.chain(self.cells.iter().map(|cell| (cell.as_str(), false)))
    }
}

/// Blocks of lines, no wider than `width` where that is possible at all. The column `key` begins each of them and is
/// never cut.
pub(crate) fn grid(key: &GridColumn, columns: &[GridColumn], width: usize) -> Vec<Vec<String>> {
    let room = width.saturating_sub(key.width());
    let mut blocks = Vec::new();
    let mut rest = columns;
    while !rest.is_empty() {
        let mut taken = 0;
        let mut used = 0;
        for column in rest {
            used += GAP + column.width().min(CUT_WIDTH_MIN);
            if taken > 0 && used > room {
                break;
            }
            taken += 1;
        }
        let (now, later) = rest.split_at(taken);
        blocks.push(block(key, now, room));
        rest = later;
    }
    blocks
}

fn block(key: &GridColumn, columns: &[GridColumn], room: usize) -> Vec<String> {
    let widths: Vec<usize> = columns.iter().map(GridColumn::width).collect();
    let room = room.saturating_sub(GAP * columns.len());
    // Wide columns are as wide as each other, and as wide as there is room.
    let needed = |most: usize| widths.iter().map(|width| width.min(&most)).sum::<usize>();
    let widest = widths.iter().copied().max().unwrap_or(0);
    let most = (CUT_WIDTH_MIN..=widest.max(CUT_WIDTH_MIN)).rev().find(|most| needed(*most) <= room);
    let most = most.unwrap_or(CUT_WIDTH_MIN.min(room.max(1)));
    let mut lines: Vec<String> = Vec::new();
    for (cell, _) in key.lines() {
        lines.push(padded(cell, key.width(), key.align));
    }
    for (column, width) in columns.iter().zip(widths) {
        let width = width.min(most);
        for (line, (cell, is_head)) in lines.iter_mut().zip(column.lines()) {
            line.push_str(&" ".repeat(GAP));
            let align = if is_head && cell.width() > width { Align::Left } else { column.align };
            line.push_str(&padded(&cut(cell, width), width, align));
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

fn padded(cell: &str, width: usize, align: Align) -> String {
    let blanks = " ".repeat(width.saturating_sub(cell.width()));
    match align {
        Align::Left => format!("{cell}{blanks}"),
        Align::Right => format!("{blanks}{cell}"),
    }
}

/// `cell` in `width` columns of a terminal, with a mark where something is missing.
pub(crate) fn cut(cell: &str, width: usize) -> String {
    if cell.width() <= width {
        return cell.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for character in cell.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(character);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, align: Align, cells: &[&str]) -> GridColumn {
        GridColumn {
            head: vec![name.to_owned()],
            align,
            cells: cells.iter().map(|&it| it.to_owned()).collect(),
        }
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let key = column("at", Align::Left, &["0:7", "0:10"]);
        let columns = [column("n", Align::Right, &["5", "50"]), column("text", Align::Left, &["größer", ""])];
        assert_eq!(grid(&key, &columns, 80), [["at     n  text", "0:7    5  größer", "0:10  50"]]);
    }

    #[test]
    fn long_cells_are_cut_and_wide_characters_counted() {
        let key = column("at", Align::Left, &["0:7"]);
        let long = "x".repeat(100);
        let columns = [
            column("a", Align::Left, &[&long]),
            column("b", Align::Left, &["日本日本日本日本日本日本日本日本日本日本"]),
        ];
        let blocks = grid(&key, &columns, 40);
        assert_eq!(blocks.len(), 1);
        assert_eq!(blocks[0][1], format!("0:7  {}…  日本日本日本日…", "x".repeat(15)));
        assert!(blocks[0].iter().all(|line| line.width() <= 40), "{blocks:?}");
    }

    #[test]
    fn columns_without_room_stand_in_further_blocks() {
        let key = column("at", Align::Left, &["0:7", "0:8"]);
        let columns: Vec<GridColumn> = (0..20)
            .map(|n| column(&format!("column_{n}"), Align::Left, &["a long text in each cell", "b"]))
            .collect();
        for width in [10, 20, 40, 79, 200] {
            let blocks = grid(&key, &columns, width);
            assert!(blocks.iter().all(|block| block.len() == 3 && block[1].starts_with("0:7")), "{blocks:?}");
            let names: usize = blocks.iter().map(|block| block[0].matches("column_").count()).sum();
            assert!(width < 20 || names == 20, "{width}: {blocks:?}");
            assert!(
                width < 20 || blocks.iter().flatten().all(|line| line.width() <= width),
                "{width}: {blocks:?}"
            );
        }
        assert_eq!(grid(&key, &[], 80), Vec::<Vec<String>>::new());
    }
}
