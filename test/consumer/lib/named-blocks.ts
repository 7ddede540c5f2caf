/** A program on a page of the documentation, and the file to save it as. */
export type NamedBlock = { readonly file: string; readonly text: string }

/** The blocks of a page whose first line is a comment that names their file, such as `// src/app.ts`. */
export const namedBlocks = (markdown: string): readonly NamedBlock[] =>
  [...markdown.matchAll(/^```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)^```$/gm)].map(([, file = '', text = '']) => ({ file, text }))
