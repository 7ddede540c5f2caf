import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { docsPages } from '../site/compose.js'
import { placeOf, rewriteLinks } from '../site/links.js'
import { pagesInNavigation } from '../site/nav.js'

/** Made from the sources, not kept in docs/. */
const MADE = ['http-api']

it('The navigation of the site has every page of the docs once', () => {
  const pages = docsPages()
    .map((name) => name.replace(/\.md$/, ''))
    .filter((name) => !/^(api|decisions)\//.test(name) || name.endsWith('README'))
    .filter((name) => name !== 'api/latchkey/README')
  expect([...pagesInNavigation()].sort()).toEqual([...pages, ...MADE].sort())
})

it.each([
  ['a page', 'docs/cli.md', './cli.md'],
  ['a folder with a page of its own', 'docs/decisions', './decisions/index.md'],
  ['a test', 'docs/../test/house/navigation.test.ts', './source/test/house/navigation.test.ts.md'],
  ['a page outside of the docs', 'docs/../SECURITY.md', './source/SECURITY.md'],
])('A link to %s leads to where it stands on the site', (_what, target, link) => {
  const path = target.replace('docs/', '')
  const needed: string[] = []
  expect(rewriteLinks(`[it](${path}#part) and \`[code](${path})\``, 'docs/page.md', 'page.md', (source) => needed.push(source))).toBe(
    `[it](${link}#part) and \`[code](${path})\``,
  )
  expect(needed).toEqual(link.includes('source/') ? [path.replace('../', '')] : [])
})

it('An image stands where it stood, and a link to nothing fails', () => {
  expect([existsSync('docs/images/tokens.png'), placeOf('docs/images/tokens.png')]).toEqual([true, undefined])
  expect(() => rewriteLinks('[it](nothing.md)', 'docs/page.md', 'page.md', () => undefined)).toThrow('docs/page.md links to nothing.md')
})
