import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { entriesOf } from '../tools/entries.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(await readFile(`${root}/package.json`, 'utf8'))
const entries = entriesOf(manifest)

const adaptersIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(`${root}/${folder}`)).filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name}`)

describe('the manifest', () => {
  it.each([...entries])('entry %s is made from a file that exists', (_name, source) => {
    expect(existsSync(`${root}/${source}`)).toBe(true)
  })

  it('exports every adapter and every store', async () => {
    const exported = new Set(entries.values())
    const adapters = [...(await adaptersIn('adapters/frameworks')), ...(await adaptersIn('adapters/stores'))]
    expect(adapters.filter((path) => !exported.has(path))).toEqual([])
  })

  it('names types and code for each entry, as ES modules only', () => {
    for (const [name] of entries) {
      const subpath = name === 'index' ? '.' : `./${name}`
      expect(manifest.exports[subpath]).toEqual({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` })
    }
    expect(manifest.type).toBe('module')
  })

  it('asks for no framework and no driver: every peer is optional', () => {
    for (const peer of Object.keys(manifest.peerDependencies)) expect(manifest.peerDependenciesMeta[peer]).toEqual({ optional: true })
    expect(Object.keys(manifest.dependencies).sort()).toEqual(['@noble/hashes', 'hono', 'ipaddr.js', 'jose', 'zod'])
  })
})
