/** A program on a page of the documentation, and the file to save it as. */
export type NamedBlock = { readonly file: string; readonly text: string }

/** The blocks of a page whose first line is a comment that names their file, such as `// src/app.ts`. Those of a list are indented. */
export const namedBlocks = (markdown: string): readonly NamedBlock[] =>
  [...markdown.matchAll(/^( *)```ts\n *\/\/ (\S+\.ts)\n([\s\S]*?)^\1```$/gm)].map(([, indent = '', file = '', text = '']) => ({
    file,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
