import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
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

const proseOf = (page: string): string => readFileSync(page, 'utf8').replace(/```[\s\S]*?```|`[^`\n]*`/g, '')

/** The links in a page to other files and to its own headings. */
const linksIn = (text: string): readonly string[] => {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link).filter((link) => !/^(https?:|mailto:)/.test(link))
}

it.each([...pages, 'README.md', 'SECURITY.md', 'CONTRIBUTING.md'])('every link in %s leads to an existing file and heading', (page) => {
  for (const link of linksIn(proseOf(page))) {
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : join(dirname(page), path)
    expect.soft(existsSync(target), `${page} links to ${link}`).toBe(true)
    if (anchor !== undefined && target.endsWith('.md') && existsSync(target)) {
      expect.soft([...anchorsOf(target)], `${page} links to ${link}`).toContain(anchor)
    }
  }
})

it('links on packed pages lead to packed files, unless the page says which files are not in the package', () => {
  // Through a shell, npm is found on Windows too.
  const output = execFileSync('npm pack --dry-run --json --ignore-scripts', {
    shell: true,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ files }] = JSON.parse(output.replace(/^[^[]*/, ''))
  const packed: readonly string[] = files.map(({ path }: { readonly path: string }) => path)
  const packedPages = packed.filter((path) => path.endsWith('.md'))
  expect(packedPages).toContain('README.md')
  const outside = packedPages.flatMap((page) => {
    const saysSo = proseOf(page).includes('are in the repository, not in the package')
    // Images would add a quarter to the package's size. Without them, readers see their descriptions.
    return linksIn(proseOf(page).replaceAll(/!\[[^\]]*\]\([^)]*\)/g, ''))
      .filter((link) => {
        const target = posix.join(posix.dirname(page), link.split('#')[0] ?? '').replace(/\/$/, '')
        if (link.startsWith('#') || packed.some((path) => path === target || path.startsWith(`${target}/`))) return false
        return !(saysSo && /^(src|test)\//.test(target))
      })
      .map((link) => `${page}: ${link}`)
  })
  expect(outside).toEqual([])
  const unexplained = packedPages.filter((page) => {
    const images = [...readFileSync(page, 'utf8').matchAll(/!\[[^\]]*\]\(([^)]*)\)/g)].map(([, path = '']) =>
      posix.join(posix.dirname(page), path),
    )
    return (
      page !== 'README.md' &&
      images.some((path) => !packed.includes(path)) &&
      !proseOf(page).includes('are in the repository, not in the package')
    )
  })
  expect(unexplained).toEqual([])
})
