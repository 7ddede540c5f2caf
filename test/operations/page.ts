import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'
import { namedBlocks } from '../consumer/lib/named-blocks.js'

export const readPage = (page: string): string => readFileSync(new URL(`../../docs/operations/${page}.md`, import.meta.url), 'utf8')

/** Loads a program from a page in docs/operations exactly as it is written there. */
export async function programOn<T>(page: string, file: string): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-page-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const block = namedBlocks(readPage(page)).find((each) => each.file === file)
  if (block === undefined) throw new Error(`docs/operations/${page}.md has no block ${file}`)
  const path = join(folder, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, block.text)
  return import(/* @vite-ignore */ pathToFileURL(path).href)
}
