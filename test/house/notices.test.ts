import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { noticesOf } from '../tools/notices.js'
import { pageInputs } from '../tools/page.js'

const { devDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

describe('notices of bundled code', () => {
  it('the notices contain the name, version and license of every bundled package once', () => {
    const files = [
      'node_modules/commander/lib/command.js',
      'node_modules/commander/index.js',
      'node_modules/@noble/hashes/sha2.js',
      'node_modules/cli-table3/index.js',
      'src/index.ts',
    ]
    const text = noticesOf(files)
    expect(text).toMatch(/^commander \d+\.\d+\.\d+ \(MIT\)$/m)
    expect(text).toMatch(/^@noble\/hashes \d+\.\d+\.\d+ \(MIT\)$/m)
    expect(text.match(/^commander /gm)).toHaveLength(1)
    expect(text).toContain('Copyright (c) 2014 James Talmage')
  })

  it('the notices cover the dashboard page, which is also bundled', async () => {
    const text = noticesOf(await pageInputs())
    for (const name of ['preact', 'uplot']) {
      expect(devDependencies).toHaveProperty(name)
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'))
    }
  })
})
