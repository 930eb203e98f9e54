//! A drawing as an SVG image, laid out top down: states in one column in their order, transitions to the next state
//! between them, repetitions on the left, transitions that skip or end the attempt on the right.

use std::fmt::Write;

use super::drawing::{Drawing, Edge, EdgeKind, NodeKind};

/// Width of a character of the labels.
const CHAR: usize = 7;
/// Height of a line of text.
const LINE: usize = 16;
/// Height of a state.
const BOX: usize = 30;
/// Space to the left of the states, for repetitions.
const LEFT: usize = 200;
/// Characters after which a label is wrapped.
const WRAP: usize = 56;

/// The image.
pub fn render(drawing: &Drawing) -> String {
    let layout = Layout::new(drawing);
    let mut out = String::new();
    push(
        &mut out,
        &format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             font-family=\"monospace\" font-size=\"12\">",
            w = layout.width,
            h = layout.height
        ),
    );
    push(&mut out, &format!("<title>{}</title>", escape(&drawing.title)));
    out.push_str(STYLE);
    push(&mut out, &format!("<rect width=\"{}\" height=\"{}\" fill=\"#fff\"/>", layout.width, layout.height));
    text(&mut out, 16, 26, "head", &drawing.title);
    for (n, note) in layout.notes.iter().enumerate() {
        text(&mut out, 16, 48 + n * LINE, "note", note);
    }
    for (edge, label) in drawing.edges.iter().zip(&layout.labels) {
        layout.edge(&mut out, drawing, edge, label);
    }
    for (id, node) in drawing.nodes.iter().enumerate() {
        layout.node(&mut out, id, &node.label, node.kind);
    }
    out.push_str("</svg>\n");
    out
}

const STYLE: &str = "<style>.head{font-weight:bold;font-size:14px}.note{fill:#555}.box{fill:#eef4fb;stroke:#246}\
.alert{fill:#fbe9e7;stroke:#b3261e;stroke-width:2}.gone{fill:#f3f3f3;stroke:#999;stroke-dasharray:4}\
.line{fill:none;stroke:#246}.time{stroke-width:2.5}.break{stroke:#999;stroke-dasharray:4}</style>\n\
<defs><marker id=\"tip\" markerUnits=\"userSpaceOnUse\" markerWidth=\"9\" markerHeight=\"9\" refX=\"8\" refY=\"4\" orient=\"auto\">\
<path d=\"M0,0 L9,4 L0,8 z\" fill=\"#246\"/></marker></defs>\n";

struct Layout {
    width: usize,
    height: usize,
    notes: Vec<String>,
    /// Wrapped labels, one per transition.
    labels: Vec<Vec<String>>,
    /// Top left corner of each state.
    places: Vec<(usize, usize)>,
    widths: Vec<usize>,
    /// Where lines on the right side run, one per transition that needs it; 0 for others.
    lanes: Vec<usize>,
    /// Lines of text above the label of a transition, beside those of others from the same state.
    above: Vec<usize>,
}

impl Layout {
    fn new(drawing: &Drawing) -> Self {
        let labels: Vec<Vec<String>> = drawing.edges.iter().map(|e| wrap(&e.label)).collect();
        let notes = wrap(&drawing.notes);
        let widths: Vec<usize> = drawing.nodes.iter().map(|n| (n.label.chars().count() * 8 + 24).max(70)).collect();
        let order = order(drawing);
        let mut places = vec![(0, 0); drawing.nodes.len()];
        let mut y = 60 + notes.len() * LINE;
        for &node in &order {
            places[node] = (LEFT, y);
            // Room below a state for the labels of all transitions from it, those to its right first.
            let lines: usize = drawing
                .edges
                .iter()
                .zip(&labels)
                .filter(|(e, _)| e.from == node && e.kind != EdgeKind::Again)
                .map(|(_, label)| label.len())
                .sum();
            let own: usize = labels_of(drawing, &labels, node);
            y += BOX + 28 + LINE * lines.max(own);
        }
        let mut lanes = vec![0; drawing.edges.len()];
        let text_width =
            labels.iter().flatten().chain(&notes).map(|l| l.chars().count() * CHAR).max().unwrap_or(0).max(200);
        let mut lane = LEFT + widths.iter().max().copied().unwrap_or(0).max(text_width) + 40;
        for (n, edge) in drawing.edges.iter().enumerate() {
            if !straight(&order, edge) && edge.kind != EdgeKind::Again {
                lanes[n] = lane;
                lane += 14;
            }
        }
        let above = |n: usize, edge: &Edge| -> usize {
            let others = drawing.edges.iter().enumerate().filter(|(m, e)| {
                // Those on the right come first, in their order.
                *m != n && e.from == edge.from && lanes[*m] > 0 && (lanes[n] == 0 || *m < n)
            });
            others.map(|(m, _)| labels[m].len()).sum()
        };
        let above = drawing.edges.iter().enumerate().map(|(n, edge)| above(n, edge)).collect();
        let width = (lane + 24).max(drawing.title.chars().count() * 9 + 40);
        Self { width, height: y + 8, notes, labels, places, widths, lanes, above }
    }

    fn node(&self, out: &mut String, id: usize, label: &str, kind: NodeKind) {
        let (x, y) = self.places[id];
        let class = match kind {
            NodeKind::Start | NodeKind::State => "box",
            NodeKind::Alert => "alert",
            NodeKind::Abandoned => "gone",
        };
        push(
            out,
            &format!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{BOX}\" rx=\"8\"/>",
                self.widths[id]
            ),
        );
        text(out, x + 12, y + 20, "", label);
    }

    fn edge(&self, out: &mut String, drawing: &Drawing, edge: &Edge, label: &[String]) {
        let index = drawing.edges.iter().position(|e| std::ptr::eq(e, edge)).unwrap_or(0);
        let ((x1, y1), (x2, y2)) = (self.places[edge.from], self.places[edge.to]);
        let class = match edge.kind {
            EdgeKind::Take | EdgeKind::Again => "line",
            EdgeKind::Time => "line time",
            EdgeKind::Break => "line break",
        };
        let (path, (tx, ty)) = if edge.kind == EdgeKind::Again {
            let out_x = x1 - 34;
            let (from, to) = (y1 + BOX / 2 + 6, y2 + BOX / 2 - 6);
            let widest = label.iter().map(|l| l.chars().count() * (CHAR + 1)).max().unwrap_or(0);
            (
                format!("M{x1},{from} C{out_x},{from} {out_x},{to} {x2},{to}"),
                (out_x.saturating_sub(widest), (from + to) / 2 + 4),
            )
        } else if self.lanes[index] == 0 {
            let x = x1 + 30;
            let below = self.above[index].saturating_sub(1) * LINE;
            (format!("M{x},{} L{x},{y2}", y1 + BOX), (x + 10, y1 + BOX + 18 + below))
        } else {
            let lane = self.lanes[index];
            let (from, to) = (x1 + self.widths[edge.from], x2 + self.widths[edge.to]);
            let (leave, y2) = (y1 + 6 + self.above[index] * LINE, y2 + BOX - 6);
            let start = leave.min(y1 + BOX - 6);
            let path = format!("M{from},{start} L{},{leave} L{lane},{leave} L{lane},{y2} L{to},{y2}", from + 6);
            (path, (from + 10, leave + 13))
        };
        push(out, &format!("<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#tip)\"/>"));
        for (n, line) in label.iter().enumerate() {
            text(out, tx, ty + n * LINE, "note", line);
        }
    }
}

/// States from top to bottom: in their order, the end of an attempt last.
fn order(drawing: &Drawing) -> Vec<usize> {
    let mut order: Vec<usize> = (0..drawing.nodes.len()).collect();
    order.sort_by_key(|n| drawing.nodes[*n].kind == NodeKind::Abandoned);
    order
}

/// Whether a transition leads to the state right below.
fn straight(order: &[usize], edge: &Edge) -> bool {
    let row = |node| order.iter().position(|n| *n == node).unwrap_or(0);
    row(edge.to) == row(edge.from) + 1 && edge.kind != EdgeKind::Break
}

/// Lines that the repetition of a state needs.
fn labels_of(drawing: &Drawing, labels: &[Vec<String>], node: usize) -> usize {
    let again = |e: &&Edge| e.kind == EdgeKind::Again && e.from == node;
    drawing.edges.iter().zip(labels).filter(|(e, _)| again(e)).map(|(_, l)| l.len()).max().unwrap_or(0)
}

/// Breaks long lines at blanks.
fn wrap(lines: &[String]) -> Vec<String> {
    let mut wrapped = Vec::new();
    for line in lines {
        let mut current = String::new();
        for word in line.split(' ') {
            if !current.is_empty() && current.chars().count() + word.chars().count() >= WRAP {
                wrapped.push(std::mem::take(&mut current));
                current.push_str("  ");
            } else if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        wrapped.push(current);
    }
    wrapped
}

fn text(out: &mut String, x: usize, y: usize, class: &str, text: &str) {
    push(out, &format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" xml:space=\"preserve\">{}</text>", escape(text)));
}

fn push(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a String takes any text");
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
