import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { docsPages } from '../site/compose.js'
import { placeOf, rewriteLinks } from '../site/links.js'
import { pagesInNavigation } from '../site/nav.js'

/** Generated from the sources, not stored in docs/. */
const MADE = ['http-api']

it("the site's navigation contains every docs page once", () => {
  const pages = docsPages()
    .map((name) => name.replace(/\.md$/, ''))
    .filter((name) => !/^(api|decisions)\//.test(name) || name.endsWith('README'))
    .filter((name) => name !== 'api/latchkey/README')
  expect([...pagesInNavigation()].sort()).toEqual([...pages, ...MADE].sort())
})

it.each([
  ['a page', 'docs/cli.md', './cli.md'],
  ['a folder with its own page', 'docs/decisions', './decisions/index.md'],
  ['a test', 'docs/../test/house/navigation.test.ts', './source/test/house/navigation.test.ts.md'],
  ['a page outside the docs', 'docs/../SECURITY.md', './source/SECURITY.md'],
])('a link to %s leads to the matching page of the site', (_what, target, link) => {
  const path = target.replace('docs/', '')
  const needed: string[] = []
  expect(rewriteLinks(`[it](${path}#part) and \`[code](${path})\``, 'docs/page.md', 'page.md', (source) => needed.push(source))).toBe(
    `[it](${link}#part) and \`[code](${path})\``,
  )
  expect(needed).toEqual(link.includes('source/') ? [path.replace('../', '')] : [])
})

it('image links are not rewritten, and a dead link is an error', () => {
  expect([existsSync('docs/images/tokens.png'), placeOf('docs/images/tokens.png')]).toEqual([true, undefined])
  expect(() => rewriteLinks('[it](nothing.md)', 'docs/page.md', 'page.md', () => undefined)).toThrow('docs/page.md links to nothing.md')
})
