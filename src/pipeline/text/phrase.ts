/** Placeholder of the shape that the text room fills. */
export interface CompiledPhrase {
  readonly source: string;
}
