// Text of agents, servers and services as it is shown to people: nothing hidden, nothing that turns other text around, no
// letter that passes for another. The same rules as `shown.rs` of the gateway, and the same examples in its test.

/** A piece of text: as it is, or the escape of a character that nobody would see or would take for another. */
export type Piece = { text: string; escaped: boolean };

/** Shows nothing of its own: controls, format, tag and filler characters, variation selectors, halves of pairs. */
const INVISIBLE =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}\ud800-\udfff]/u;

/** Blocks with look-alikes of Latin letters, digits or punctuation (Unicode technical standard 39, `confusables.txt`). */
const LIKE_LATIN =
  /[\u0370-\u058f\u13a0-\u13ff\u1c80-\u1c8f\u1d00-\u1dbf\u1f00-\u1fff\u2044\u2100-\u218f\u2215\u2c80-\u2cff\u2de0-\u2dff\ua4d0-\ua4ff\ua640-\ua69f\uab30-\uab8f\uff01-\uff5e\u{1d400}-\u{1d7ff}]/u;
const NOT_ASCII = /[^\0-\x7f]/u;
const ANYTHING_ODD = new RegExp(`${INVISIBLE.source}|${LIKE_LATIN.source}|://`, "u");

const escape = (c: string) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`;

/** The text in pieces. */
export function pieces(text: string): Piece[] {
  if (!ANYTHING_ODD.test(text)) return [{ text, escaped: false }];
  const out: Piece[] = [];
  const add = (text: string, escaped: boolean) => {
    const last = out[out.length - 1];
    if (last && last.escaped === escaped) last.text += text;
    else out.push({ text, escaped });
  };
  for (const word of text.split(/(?<=\s)/u)) {
    if (!ANYTHING_ODD.test(word) && !NOT_ASCII.test(word)) {
      add(word, false);
      continue;
    }
    const latin = /[a-zA-Z]/.test(word);
    const spelled = word.includes("://") ? NOT_ASCII : latin && LIKE_LATIN.test(word) ? LIKE_LATIN : INVISIBLE;
    for (const c of word) {
      if (INVISIBLE.test(c) || (spelled.test(c) && !/\s/u.test(c))) add(escape(c), true);
      else add(c, false);
    }
  }
  return out;
}

/** The pieces of a text in which escapes stand already, as JSON writes them. */
export function escapes(text: string): Piece[] {
  return text.split(/((?:\\u[0-9a-f]{4})+)/).map((text, nth) => ({ text, escaped: nth % 2 === 1 }));
}

/** The same as one text, for what takes no markup: titles and labels. */
export function plain(text: string): string {
  return pieces(text).map((piece) => piece.text).join("");
}

/** The same on one line. */
export function oneLine(text: string, limit: number): string {
  const [head, left, tail] = cut(text, limit);
  const whole = left > 0 ? `${head} … ${left.toLocaleString("en")} characters left out … ${tail}` : head;
  return plain(whole).replaceAll("\n", "⏎").replaceAll("\t", "⇥");
}

/** The beginning and the end of a text that is longer than `limit`, and how much is between. What is dangerous often
 * stands last. */
export function cut(text: string, limit: number): [head: string, left: number, tail: string] {
  if (text.length <= limit) return [text, 0, ""];
  const half = Math.floor(limit / 2);
  let [head, tail] = [half, text.length - half];
  // No pair of surrogates is torn.
  if (/[\udc00-\udfff]/.test(text[head] ?? "")) head -= 1;
  if (/[\udc00-\udfff]/.test(text[tail] ?? "")) tail += 1;
  return [text.slice(0, head), tail - head, text.slice(tail)];
}
