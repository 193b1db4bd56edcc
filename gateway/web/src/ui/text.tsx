// Foreign text. The one way by which any stands on the page: as text nodes, with what hides shown, and cut so that its end
// stays in sight.

import { useState } from "preact/hooks";
import { cut, escapes, oneLine, pieces } from "../words/shown.ts";

/** Characters that one press on "more" adds; a page of a megabyte helps nobody. */
const MORE = 50_000;

function Shown({ text, written = false }: { text: string; written?: boolean }) {
  return (
    <>
      {(written ? escapes(text) : pieces(text)).map((piece) =>
        piece.escaped ? (
          <span class="escape" title="a character that cannot be seen, or passes for another">
            {piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
    </>
  );
}

/** A text with its own lines. In one that is `written` as JSON writes it, escapes stand already. */
export function Block({ text, limit = 4000, label, written = false }: { text: string; limit?: number; label?: string; written?: boolean }) {
  const [most, setMost] = useState(limit);
  const [head, left, tail] = cut(text, most);
  return (
    <pre class="block" tabIndex={0} role="region" aria-label={label ?? "text"}>
      <Shown text={head} written={written} />
      {left > 0 && (
        <button type="button" class="more" onClick={() => setMost(most + MORE)}>
          … {left.toLocaleString("en")} characters left out: show {left > MORE ? "more" : "all"} …
        </button>
      )}
      {left > 0 && <Shown text={tail} written={written} />}
    </pre>
  );
}

/** A text on one line, which its container may cut; the whole of it (up to a limit) is its title. */
export function Line({ text, limit = 300 }: { text: string; limit?: number }) {
  if (text === "") return null;
  const [head, left, tail] = cut(text.replaceAll("\n", "⏎").replaceAll("\t", "⇥"), limit);
  // Rows cut what is long; a short text needs no second place where all of it stands.
  const whole = text.length > 24 ? oneLine(text, 1000) : undefined;
  return (
    <span class="line" title={whole}>
      <Shown text={head} />
      {left > 0 && <span class="escape"> … {left.toLocaleString("en")} characters left out … </span>}
      {left > 0 && <Shown text={tail} />}
    </span>
  );
}
