import { script, style } from './assets.js'
import { type DashboardOptions, readDashboardOptions } from './options.js'
import { documentOf, hostRules, iconOf, policyOf } from './page.js'

export type { Color, ColorName, DashboardOptions } from './options.js'
export type { DashboardTexts } from './texts.js'

/** The page for managing tokens. It is static: the reader's browser loads the data from the management API. */
export type Dashboard = {
  /** Returns the document, with the status of the refusal if its reader could not be identified. */
  readonly page: (request: Request, status: number) => Response
  /** The paths of the assets that the document loads. */
  readonly assets: readonly string[]
  /** Returns one of these assets. */
  readonly asset: (request: Request, path: string) => Promise<Response>
}

type Asset = { readonly type: string; readonly text: string }

/**
 * Creates the page that `management` serves to browsers at `GET /`.
 *
 * @throws InvalidInputError `invalid_input`, with the option as `field`
 *
 * @example
 * ```ts
 * import { dashboard } from 'latchkey/dashboard'
 *
 * app.use('/admin/tokens', management(tokens, { actor, dashboard: dashboard({ title: 'Acme' }) }))
 * ```
 */
export function dashboard(options: DashboardOptions = {}): Dashboard {
  const settings = readDashboardOptions(options)
  const policy = policyOf(settings)
  const assets = new Map<string, Asset>([
    ['/page.js', { type: 'text/javascript; charset=utf-8', text: script }],
    ['/page.css', { type: 'text/css; charset=utf-8', text: style + hostRules(settings) }],
    ['/icon.svg', { type: 'image/svg+xml', text: iconOf(settings.accent) }],
  ])
  const zipped = new Map<string, Promise<Uint8Array<ArrayBuffer>>>()

  const asset = async (request: Request, path: string): Promise<Response> => {
    const { type, text } = assets.get(path) ?? { type: 'text/plain', text: '' }
    const headers = {
      'content-type': type,
      vary: 'Accept-Encoding',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    }
    if (!takesGzip(request.headers.get('accept-encoding'))) return new Response(text, { headers })
    const bytes = zipped.get(path) ?? gzip(text)
    zipped.set(path, bytes)
    return new Response(await bytes, { headers: { ...headers, 'content-encoding': 'gzip' } })
  }

  return Object.freeze({
    page: (request: Request, status: number) =>
      new Response(documentOf(settings, folderOf(request)), {
        status,
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': policy,
          // X-Frame-Options cannot list origins. If frames are allowed, only the policy says from which origins.
          ...(settings.frameAncestors === undefined && { 'x-frame-options': 'DENY' }),
          'cross-origin-opener-policy': 'same-origin',
          vary: 'Accept',
        },
      }),
    assets: Object.freeze([...assets.keys()]),
    asset,
  })
}

// Relative to the URL of the page: `/admin/tokens` loads its assets from `tokens/`, `/admin/tokens/` from the same folder.
function folderOf(request: Request): string {
  const last = new URL(request.url).pathname.split('/').at(-1) ?? ''
  return last === '' ? './' : `./${last}/`
}

// RFC 9110 §12.5.3; a weight of 0 means "not acceptable".
function takesGzip(accept: string | null): boolean {
  return (accept ?? '').split(',').some((coding) => /^\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(coding))
}

async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
