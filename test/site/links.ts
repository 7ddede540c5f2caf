import { existsSync, statSync } from 'node:fs'
import { dirname, posix } from 'node:path'

const CODE = /(```[\s\S]*?```|`[^`\n]*`)/g
const LINK = /\]\(([^)\s]+)\)/g

/** Rewrites the links of a page for the site. `path` is the page's path in the repository and `at` its path on the site. `needs` is called with source files to show. */
export function rewriteLinks(text: string, path: string, at: string, needs: (source: string) => void): string {
  return text
    .split(CODE)
    .map((part, index) => (index % 2 === 1 ? part : part.replace(LINK, (_, link: string) => `](${linkOf(link, path, at, needs) ?? link})`)))
    .join('')
}

function linkOf(link: string, path: string, at: string, needs: (source: string) => void): string | undefined {
  if (/^(https?:|mailto:|#)/.test(link)) return undefined
  const [file = '', anchor] = link.split('#')
  const target = posix.normalize(posix.join(dirname(path), file)).replace(/\/$/, '')
  if (!existsSync(target)) throw new Error(`${path} links to ${link}, which does not exist`)
  const place = placeOf(target)
  if (place === undefined) return undefined
  if (place.startsWith('source/')) needs(target)
  const relative = posix.relative(dirname(at), place)
  return `${relative.startsWith('.') ? relative : `./${relative}`}${anchor === undefined ? '' : `#${anchor}`}`
}

/** The path of a repository file on the site; `undefined` for files that are copied unchanged, such as images. */
export function placeOf(target: string): string | undefined {
  const isFolder = statSync(target).isDirectory()
  const inside = target.startsWith('docs/') ? target.slice('docs/'.length) : undefined
  if (inside !== undefined && !isFolder) return inside.endsWith('.md') ? inside.replace(/(^|\/)README\.md$/, '$1index.md') : undefined
  if (isFolder) return existsSync(`${target}/README.md`) && inside !== undefined ? `${inside}/index.md` : `source/${target}/index.md`
  return target.endsWith('.md') ? `source/${target}` : `source/${target}.md`
}
