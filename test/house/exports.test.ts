import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { entries, exportsOf, typesVersionsOf } from '../tools/entries.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(await readFile(`${root}/package.json`, 'utf8'))
const typedoc = JSON.parse(await readFile(`${root}/typedoc.json`, 'utf8'))
const config = JSON.parse(await readFile(`${root}/tsconfig.json`, 'utf8'))

describe('the manifest', () => {
  it.each([...entries])('the source of the entry %s exists', (_name, source) => {
    expect(existsSync(`${root}/${source}`)).toBe(true)
  })

  it('each entry has import and require conditions with matching declarations (run npm run entries to fix)', () => {
    expect(manifest.exports).toEqual(exportsOf(entries.keys()))
    expect(manifest.typesVersions).toEqual(typesVersionsOf(entries.keys()))
    expect([manifest.type, manifest.main, manifest.types]).toEqual(['module', './dist/index.cjs', './dist/index.d.cts'])
  })

  it('the installation page lists exactly the entries', async () => {
    const page = await readFile(`${root}/docs/installation.md`, 'utf8')
    const [, table = ''] = page.split('## Entries')
    const named = [...(table.split('\n## ')[0] ?? '').matchAll(/`latchkey(?:\/([a-z/-]+))?`/g)].map(([, name = 'index']) => name)
    expect([...new Set(named)].sort()).toEqual([...entries.keys()].sort())
  })

  it('every entry has a page in the API reference', () => {
    const documented = (typedoc.entryPoints as readonly string[]).map((pattern) => new RegExp(`^${pattern.replaceAll('*', '[^/]+')}$`))
    for (const source of entries.values())
      expect(
        documented.some((pattern) => pattern.test(source)),
        source,
      ).toBe(true)
  })

  it('tsconfig.json maps every entry to its source for the tests', () => {
    const paths: { readonly [pattern: string]: readonly string[] } = config.compilerOptions.paths
    const found = (specifier: string): string | undefined => {
      const exact = paths[specifier]
      const [pattern] = Object.keys(paths)
        .filter((key) => key.endsWith('*') && specifier.startsWith(key.slice(0, -1)))
        .sort((a, b) => b.length - a.length)
      const rest = pattern === undefined ? '' : specifier.slice(pattern.length - 1)
      return (exact ?? paths[pattern ?? ''])?.[0]?.replace('*', rest).slice('./'.length)
    }
    for (const [name, source] of entries) expect(found(name === 'index' ? 'latchkey' : `latchkey/${name}`)).toBe(source)
  })

  it('every peer dependency is optional', () => {
    for (const peer of Object.keys(manifest.peerDependencies)) expect(manifest.peerDependenciesMeta[peer]).toEqual({ optional: true })
    expect(Object.keys(manifest.dependencies).sort()).toEqual(['hono', 'jose', 'zod'])
  })
})
