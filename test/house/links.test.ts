import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'

const pages = readdirSync('docs', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md') && !name.startsWith('api'))
  .map((name) => join('docs', name))

/** The headings of a page as GitHub's anchors. */
const anchorsOf = (file: string): ReadonlySet<string> =>
  new Set(
    [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )

it.each([...pages, 'README.md', 'SECURITY.md', 'CONTRIBUTING.md'])('every link of %s leads to an existing file and heading', (page) => {
  const text = readFileSync(page, 'utf8').replace(/```[\s\S]*?```|`[^`\n]*`/g, '')
  for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(https?:|mailto:)/.test(link)) continue
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : join(dirname(page), path)
    expect.soft(existsSync(target), `${page} links to ${link}`).toBe(true)
    if (anchor !== undefined && target.endsWith('.md') && existsSync(target)) {
      expect.soft([...anchorsOf(target)], `${page} links to ${link}`).toContain(anchor)
    }
  }
})
