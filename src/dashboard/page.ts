import { readableOn, softOn, textOn } from './colour.js'
import type { Color, DashboardSettings } from './options.js'
import { textsOf } from './texts/languages.js'

/** The backgrounds of the two themes, as in page.css. */
const SURFACES = { light: '#ffffff', dark: '#161a21' } as const

/** No inline scripts or styles, no other origins, no frames. A logo in the options adds `data:` to the image sources. */
export function policyOf({ logo, frameAncestors = [] }: DashboardSettings): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    `img-src 'self'${logo?.startsWith('data:') === true ? ' data:' : ''}`,
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${frameAncestors.length === 0 ? "'none'" : frameAncestors.map((one) => (one === 'self' ? "'self'" : one)).join(' ')}`,
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}

/**
 * Returns the document, which is static and contains no data. The host's options are in an attribute.
 *
 * `folder` is the path from the page to its assets, without the mount path, so it also works behind a proxy that changes the path.
 */
export function documentOf(settings: DashboardSettings, folder: string): string {
  const { theme, language, title, accent: _, font: __, radius: ___, colors: ____, frameAncestors: _____, ...chosen } = settings
  const texts = { ...textsOf(language), ...chosen.texts }
  const config = JSON.stringify({ ...chosen, title, ...(Object.keys(texts).length > 0 && { texts }) })
  return `<!doctype html>
<html lang="${escapeHtml(language)}" dir="${directionOf(language)}" data-theme="${theme}" data-config="${escapeHtml(config)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title ?? texts['app.title'] ?? 'API tokens')}</title>
<link rel="icon" href="${escapeHtml(folder)}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${escapeHtml(folder)}page.css">
<script type="module" src="${escapeHtml(folder)}page.js"></script>
</head>
<body><div id="page"></div><noscript>This page needs JavaScript.</noscript></body>
</html>
`
}

/** Returns the CSS rules that the host's options add. */
export function hostRules({ accent, font, radius, colors = {} }: DashboardSettings): string {
  const own = Object.entries(colors).flatMap(([name, color]) => (color === undefined ? [] : [`--${name}:${cssOf(color)}`]))
  const rules = [...own, ...(font === undefined ? [] : [`--font:${font}`]), ...(radius === undefined ? [] : [`--round:${radius}`])]
  return `${accentRules(accent, colors.surface)}${rules.length === 0 ? '' : `\n:root{${rules.join(';')}}`}`
}

const cssOf = (color: Color): string => (typeof color === 'string' ? color : `light-dark(${color.light},${color.dark})`)

function accentRules(accent: string | undefined, surface: Color = SURFACES): string {
  if (accent === undefined) return ''
  const { light, dark } = typeof surface === 'string' ? { light: surface, dark: surface } : surface
  const both = (make: (on: string) => string): string => `light-dark(${make(light)},${make(dark)})`
  const readable = (on: string): string => readableOn(accent, softOn(accent, on))
  return `\n:root{--accent:${both(readable)};--accent-fill:${accent};--on-accent:${textOn(accent)};--accent-soft:${both((on) => softOn(accent, on))}}`
}

/** Returns the favicon. */
export function iconOf(accent = '#3550d6'): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${accent}"/><path d="M19 13.500a5 5 0 1 0-4 4.900l1.800 1.600h2v2h2v2h4v-3.500l-6.200-6.200M12.500 12.500h.01" fill="none" stroke="${textOn(accent)}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`
}

/** The languages that are written from right to left, by their tag or their script. */
const RTL = /^(?:ar|arc|ckb|dv|fa|he|iw|ks|ku-arab|nqo|pa-arab|ps|sd|syr|ug|ur|yi)(?:-|$)|-(?:arab|hebr|thaa|syrc|nkoo)(?:-|$)/i

function directionOf(language: string): 'rtl' | 'ltr' {
  return RTL.test(language) && !/-latn(?:-|$)/i.test(language) ? 'rtl' : 'ltr'
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;')
}
