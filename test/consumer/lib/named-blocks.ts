/** A program on a docs page and the file in which to save it. */
export type NamedBlock = { readonly file: string; readonly text: string }

/** The blocks of a page whose first line is a comment with a file name, such as `// src/app.ts`. Blocks in a list are indented. */
export const namedBlocks = (markdown: string): readonly NamedBlock[] =>
  [...markdown.matchAll(/^( *)```ts\n *\/\/ (\S+\.ts)\n([\s\S]*?)^\1```$/gm)].map(([, indent = '', file = '', text = '']) => ({
    file,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
