const HAN = /^\p{Script=Han}$/u;
const SPOKEN = /^[\p{L}\p{M}\p{N}]$/u;
/** Between two letters or digits they are part of the word: don't, 3.5, 1,200, twenty-one. */
const JOINT = /^['’.,-]$/u;

/**
 * A text as tokens: one Chinese character, or one word of a spaced script, each with the punctuation that follows it; what comes before the first one is put in
 * front of it. Joined they are the text but for spaces; none where nothing is said in it.
 */
export function splitText(text: string): string[] {
  const tokens: string[] = [];
  let before = "";
  for (const chunk of text.split(/\s+/)) {
    for (const part of /\p{Script=Han}/u.test(chunk) ? splitChunk(chunk) : [chunk]) {
      if (lettersOf(part).length > 0) {
        tokens.push(before + part);
        before = "";
      } else if (tokens.length > 0) tokens[tokens.length - 1] += part;
      else before += part;
    }
  }
  return tokens;
}

/** A stretch without spaces that has Chinese in it. */
function splitChunk(chunk: string): string[] {
  const parts: string[] = [];
  const chars = [...chunk];
  let inWord = false;
  for (const [i, char] of chars.entries()) {
    const isWord = SPOKEN.test(char) && !HAN.test(char);
    const isJoint: boolean = inWord && JOINT.test(char) && isSpelt(chars[i + 1]);
    if (i > 0 && (inWord ? isWord || isJoint : !SPOKEN.test(char))) parts[parts.length - 1] += char;
    else if (inWord && !SPOKEN.test(char)) parts[parts.length - 1] += char;
    else parts.push(char);
    inWord = isWord || isJoint;
  }
  return parts;
}

function isSpelt(char: string | undefined): boolean {
  return char !== undefined && SPOKEN.test(char) && !HAN.test(char);
}

/** What is said of a text, letter by letter, so that two writings of it can be compared: full width and case apart. */
export function lettersOf(text: string): string[] {
  return [...text.normalize("NFKC").toLowerCase()].filter((char) => SPOKEN.test(char));
}
