import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Suite } from '../lib/bench.js'
import { compiles } from '../lib/compile.js'
import { namedBlocks } from '../lib/named-blocks.js'
import { must } from '../lib/shell.js'

/** Pages whose programs are saved unchanged, each in its own folder, with the packages that they need. */
const PAGES: { readonly [page: string]: readonly string[] } = {
  websockets: ['ws@8', '@types/ws@8', 'kysely@0.28', 'libsql'],
  'server-sent-events': ['eventsource@4'],
  'frameworks/socket-io': ['socket.io@4', 'socket.io-client@4'],
  'frameworks/graphql-ws': ['graphql@16', 'graphql-ws@6'],
  'frameworks/trpc': ['@trpc/server@11', '@trpc/client@11'],
  'frameworks/h3-elysia': ['h3@2', 'elysia@1'],
  'frameworks/aws-lambda': ['hono@4'],
  'frameworks/passport': [
    ...['express-session', 'passport@0.7', 'passport-local'],
    ...['@types/express-session', '@types/passport', '@types/passport-local'],
  ],
  // These are tested in test/operations.
  'operations/pepper': [],
  'operations/backup': [],
  'operations/environments': [],
  'operations/proxy': [],
  'operations/nodes': [],
}
/** The pages, by their paths in docs/. */
export const RECIPES: readonly string[] = Object.keys(PAGES)

const SHARED = ['latchkey', 'express@5', 'vitest@4', 'typescript@~6.0', '@types/express@5', '@types/node@20']

const save = async (page: string, folder: string): Promise<readonly string[]> => {
  const blocks = namedBlocks(await readFile(new URL(`../../../docs/${page}.md`, import.meta.url), 'utf8'))
  if (blocks.length === 0) throw new Error(`docs/${page}.md has no block that names its file`)
  const name = page.split('/').at(-1) ?? page
  for (const { file, text } of blocks) {
    const path = join(folder, name, file)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
  // The instance that a page imports.
  await copyFile(join(folder, 'tokens.ts'), join(folder, name, 'tokens.ts'))
  return blocks.map(({ file }) => `${name}/${file}`)
}

/** How-to pages about other libraries: their programs compile and behave as described. */
export const recipes: Suite = {
  name: 'recipes',
  sample: true,
  async run(bench) {
    const packages = [...new Set([...SHARED, ...Object.values(PAGES).flat()])]
    const folder = await bench.project({ name: 'recipes', packages, fixtures: ['common', 'recipes'] })
    const files = (await Promise.all(RECIPES.map((page) => save(page, folder)))).flat()
    await bench.check('the programs on the how-to pages compile', () => compiles(folder, 'nodenext', files, { skipLibCheck: true }))
    await bench.check('the programs on the how-to pages behave as described', () =>
      must(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--maxWorkers=2'], folder),
    )
  },
}
