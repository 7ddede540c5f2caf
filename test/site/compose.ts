import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { placeOf, rewriteLinks } from './links.js'
import { NAVIGATION } from './nav.js'

/** Composes the pages of the site and rewrites their links. `extra` are generated pages by path. */
export function composePages(folder: string, extra: { readonly [place: string]: string }): void {
  rmSync(folder, { recursive: true, force: true })
  const write = (place: string, text: string): void => {
    mkdirSync(dirname(join(folder, place)), { recursive: true })
    writeFileSync(join(folder, place), text)
  }
  const waiting = docsPages().map((name) => `docs/${name}`)
  const known = new Set(waiting)
  const needs = (source: string): void => {
    if (!known.has(source)) waiting.push(source)
    known.add(source)
  }
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const place = placeOf(path)
    if (place === undefined) continue
    write(place, path.endsWith('.md') ? rewriteLinks(readFileSync(path, 'utf8'), path, place, needs) : showSource(path, place, needs))
  }
  cpSync('docs/images', join(folder, 'images'), { recursive: true })
  for (const [place, text] of Object.entries(extra)) write(place, text)
  write('index.md', homePage())
}

/** Every page of docs/, by its path there. */
export const docsPages = (): readonly string[] =>
  readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'))

/** A page that shows a file, or the files of a folder. */
function showSource(path: string, place: string, needs: (source: string) => void): string {
  if (statSync(path).isDirectory()) {
    const list = readdirSync(path).map((name) => `- [${name}](${name})`)
    return rewriteLinks(`# ${path}\n\n${list.join('\n')}\n`, `${path}/index.md`, place, needs)
  }
  const text = readFileSync(path, 'utf8')
  const fence = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length + 1)))
  return `# ${path}\n\n${fence}${extname(path).slice(1)}\n${text}\n${fence}\n`
}

function homePage(): string {
  const titles = (path: string): string => /^# (.*)$/m.exec(readFileSync(`docs/${path}.md`, 'utf8'))?.[1] ?? path
  const entry = (page: string | readonly [string, string]): string => {
    const [path, title] = typeof page === 'string' ? [page, page === 'http-api' ? 'HTTP API' : titles(page)] : page
    return `- [${title}](./${path.replace(/README$/, 'index')}.md)`
  }
  const kinds = NAVIGATION.map(({ kind, groups }) => {
    const lists = groups.map(({ text, pages }) => `${groups.length > 1 ? `### ${text}\n\n` : ''}${pages.map(entry).join('\n')}\n`)
    return `## ${kind}\n\n${lists.join('\n')}`
  })
  return `# latchkey\n\nDrop-in authentication middleware for API tokens. Start with [the tutorial](./getting-started.md), which takes ten minutes.\n\n${kinds.join('\n')}`
}
