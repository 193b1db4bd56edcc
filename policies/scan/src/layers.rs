//! Encodings undone: what an encoded part of a text says, and how its bytes relate to the text that was given.

mod escapes;
mod fold;
mod joints;
mod pairs;
mod runs;

/// A text to be scanned: the one that was given, or one decoded from a part of another view.
pub(crate) struct View<'a> {
    pub bytes: &'a [u8],
    from: Option<(&'a View<'a>, Link<'a>, &'static str)>,
}

/// How the bytes of a view relate to the view it was decoded from.
pub(crate) enum Link<'a> {
    /// It was decoded from a run.
    Run(runs::Place),
    /// From each first position on (in this view), bytes stand at the second (in the other), one for one.
    Steps(&'a [(usize, usize)]),
}

impl<'a> View<'a> {
    pub(crate) fn plain(bytes: &'a [u8]) -> Self {
        Self { bytes, from: None }
    }

    fn inner(bytes: &'a [u8], outer: &'a View<'a>, link: Link<'a>, layer: &'static str) -> Self {
        Self { bytes, from: Some((outer, link, layer)) }
    }

    /// How many encodings it lies under.
    pub(crate) fn depth(&self) -> usize {
        self.from.as_ref().map_or(0, |(outer, ..)| outer.depth() + 1)
    }

    /// The encodings, outermost first.
    pub(crate) fn layers(&self) -> Vec<&'static str> {
        self.from.as_ref().map_or_else(Vec::new, |(outer, _, layer)| {
            let mut layers = outer.layers();
            layers.push(layer);
            layers
        })
    }

    /// Where in the given text `start..end` of this view stands.
    pub(crate) fn locate(&self, start: usize, end: usize) -> (usize, usize) {
        match &self.from {
            None => (start, end),
            Some((outer, Link::Run(place), _)) => {
                let (start, end) = place.locate(outer.bytes, start, end);
                outer.locate(start, end)
            }
            Some((outer, Link::Steps(steps), _)) => outer.locate(step(steps, start), step(steps, end)),
        }
    }
}

/// `start..end` widened to whole words, as what is cut in the middle of one may look like another, and by what follows
/// the last: a value that ends with the text ends as it should, and one that goes on there does not.
pub(crate) fn whole_words(bytes: &[u8], start: usize, end: usize) -> (usize, usize) {
    const WORD: usize = 1024;
    let in_word = |b: &&u8| !b.is_ascii_whitespace();
    let before = bytes.get(..start).unwrap_or_default().iter().rev().take(WORD).take_while(in_word).count();
    let after = bytes.get(end..).unwrap_or_default().iter().take(WORD).take_while(in_word).count();
    (start - before, bytes.len().min(end + after + 1))
}

fn step(steps: &[(usize, usize)], at: usize) -> usize {
    let next = steps.partition_point(|(here, _)| *here <= at);
    let (here, there) = next.checked_sub(1).and_then(|i| steps.get(i)).copied().unwrap_or((0, 0));
    let limit = steps.get(next).map_or(usize::MAX, |(_, there)| *there);
    (there + (at - here)).min(limit)
}

/// Calls `look` with every view that can be decoded from `view`.
pub(crate) fn each_inner(view: &View<'_>, mut look: impl FnMut(&View<'_>)) {
    escapes::each(view, &mut look);
    fold::each(view, &mut look);
    joints::each(view, &mut look);
    pairs::each(view, &mut look);
    runs::each(view, &mut look);
}
