import { type Context, Hono } from 'hono'
import { endpointName } from '../activity/endpoint-name.js'
import { isLatchkeyError } from '../errors.js'
import { atOnce } from '../http/at-once.js'
import { warn } from '../http/diagnostics.js'
import { handOver } from '../http/hand-over.js'
import { type Received, receive } from '../http/late-body.js'
import { secretsIn } from '../http/secrets-in.js'
import { undoUse } from '../http/use.js'
import { internalsOf, type Latchkey } from '../instance.js'
import { quote } from '../policy/quote.js'
import { type Allowance, newAllowance } from '../store/deadline.js'
import { type Access, type Arriving, type Asking, type Caller, unidentified } from './access.js'
import { checkInstants, readBody } from './body.js'
import { corsHeaders, preflightHeaders, refuseCrossSite, refuseForeignRead } from './cross-site.js'
import { fault, type Part, PathRefusal, RateRefusal, Refusal } from './fault.js'
import { finish } from './finish.js'
import { createCallLimits } from './limit.js'
import { wanted } from './negotiate.js'
import { openapiRoute } from './openapi.js'
import type { ManagementSettings } from './options.js'
import { problemResponse, problemStatus } from './problem-response.js'
import { readQuery } from './query.js'
import type { Call, Reply, Route } from './route.js'
import { ROUTES } from './routes.js'
import { isNormalTarget } from './target.js'
import { createTrace } from './trace.js'

type Mount = { readonly mountPath: string; readonly mountName: () => string | undefined }
type Env = { Bindings: Mount & { readonly caller: Caller; readonly path: string } }
type Here = Context<Env>

/** A path that matches no route, for requests outside the mount path. */
const NOWHERE = '//'
const ID = /^[0-9A-Za-z]{16}$/
// A handler whose mount path is too short mistakes the last part of its own path for an ID.
const NO_ID = 'there is nothing at this path: IDs consist of 16 letters and digits. Check the path on which the API is mounted'
const NO_ID_TO_POST = `${NO_ID}. To create a token, send POST to the mount path`
const USE_PATCH = '; to change some fields of a token, use PATCH'
/** What to call instead of a method that other APIs have. */
const INSTEAD: { readonly [call: string]: string } = {
  'DELETE /:id': '; to end a token, use POST /:id/revoke',
  'DELETE /': '; to end many tokens, use POST /revoke-all',
  'PUT /:id': USE_PATCH,
  'POST /:id': USE_PATCH,
}

/** Creates the handler of all routes. Its response depends only on the request and its caller. */
export function createApp(
  tokens: Latchkey,
  settings: ManagementSettings,
  access: Access,
): (request: Request, caller: Arriving, mountPath: string) => Promise<Response> {
  const inside = internalsOf(tokens)
  const limits = createCallLimits(tokens, inside, settings)
  const app = new Hono<Env>({ getPath: (_request, options) => (options?.env as Env['Bindings'] | undefined)?.path ?? NOWHERE })

  const trace = createTrace(inside, access)
  const refuse = (error: unknown, part?: Part): Response => {
    const response = problemResponse(error, part)
    if (response.status === 503) inside.report('management', error)
    return response
  }

  /** Refuses requests from other sites. If a guard has already begun a use for such a request, that use does not count. */
  const refuseSite = (check: typeof refuseCrossSite, here: Here): void => {
    try {
      check(here.req.raw, settings)
    } catch (error) {
      undoUse(here.env.caller.use)
      throw error
    }
  }

  const answer = async (route: Route, here: Here): Promise<Response> => {
    const request = here.req.raw
    const { caller } = here.env
    const allowance = newAllowance(inside, settings.deadlineMs)
    let asking: Promise<Asking> | undefined
    try {
      if (route.method !== 'GET') refuseSite(refuseCrossSite, here)
      if (route.access === 'holder') return await answerHolder(route, here, allowance)
      const choice = route.path === '/' && route.method === 'GET' ? choose(request, settings.dashboard !== undefined) : 'json'
      // Another site may show the page in a frame, if the host allows that.
      if (route.method === 'GET' && choice === 'json') refuseSite(refuseForeignRead, here)
      asking = access.actor(request, caller, allowance)
      if (choice === 'html' && settings.dashboard !== undefined) return settings.dashboard.page(request, await statusOf(asking))
      const { actor } = await asking
      await limits.actor(actor, allowance.leftMs)
      const { body: call, isLate } = await callOf(route, here, allowance)
      if (isLate) asking = access.actor(request, caller, allowance)
      return json(await route.run(call, await asking))
    } catch (error) {
      trace({ error, route, request, caller, asking })
      return refuse(error, route.query === undefined ? 'body' : 'query')
    }
  }

  const answerHolder = async (route: Route & { readonly access: 'holder' }, here: Here, allowance: Allowance): Promise<Response> => {
    const request = here.req.raw
    const mountName = here.env.mountName()
    const endpoint = mountName === undefined ? '' : endpointName(route.method, route.path, mountName)
    const holder = await access.holder(request, here.env.caller, allowance)
    if (holder.refusal !== undefined) return holder.refusal
    let { token } = holder
    try {
      await limits.holder(token, allowance.leftMs)
      const { body: call, isLate } = await callOf(route, here, allowance)
      if (isLate || holder.wasAdmitted) {
        const still = await access.stillHolder(request, holder.ip, token, allowance)
        if (still.refusal !== undefined) {
          holder.done(endpoint, 'undecided')
          return still.refusal
        }
        token = still.token
      }
      const reply = await route.run(call, token)
      holder.done(endpoint)
      return json(reply)
    } catch (error) {
      const { code, field } = isLatchkeyError(error) ? error : { code: undefined, field: undefined }
      const scope = code === 'scope_insufficient' ? field : undefined
      const counted = code === 'scope_insufficient' || code === 'rate_limited' ? code : undefined
      const spent = holder.done(endpoint, problemStatus(error) === 503 ? 'undecided' : counted)
      const refusal = spent === undefined ? error : new RateRefusal([spent], spent)
      trace({ error: refusal, route, request, caller: here.env.caller, principal: token.principal })
      if (scope !== undefined && spent === undefined) return access.refuseScope(request, scope)
      throw refusal
    }
  }

  const callOf = async (route: Route, here: Here, allowance: Allowance): Promise<Received<Call>> => {
    const request = here.req.raw
    const id = route.path.startsWith('/:id') ? (here.req.param('id') ?? '') : ''
    checkId(route.path, id)
    // A change is never refused because of the response format. The response is small, and the change may be urgent.
    if (route.method === 'GET') choose(request, false)
    const { searchParams } = new URL(request.url)
    if (route.query === undefined && searchParams.size > 0) throw fault('query', [...searchParams.keys()].slice(0, 1), 'unknown parameter')
    const read = (): Promise<unknown> => bodyOf(route, request, here.env.caller)
    const { body, isLate } = route.method === 'GET' ? { body: {}, isLate: false } : await receive(allowance, read)
    const call = {
      tokens,
      inside,
      settings,
      allowance,
      mountPath: here.env.mountPath,
      ip: here.env.caller.ip,
      id,
      headers: request.headers,
      query: route.query === undefined ? {} : readQuery(searchParams, route.query),
      body,
    }
    return { body: call, isLate }
  }

  const bodyOf = async (route: Route, request: Request, caller: Caller): Promise<unknown> => {
    const body = await readBody(request, caller, settings.maxBodyBytes)
    if (body === undefined && route.bodyRequired === true) throw fault('body', [], 'a JSON body is required')
    if (body !== undefined) checkInstants(body)
    return body === undefined ? {} : body
  }

  const choose = (request: Request, offersHtml: boolean): 'json' | 'html' => {
    const choice = wanted(request.headers.get('accept'), offersHtml)
    if (choice === undefined) throw new Refusal('not_acceptable', 'only application/json is available')
    return choice
  }

  // The page contains no data, so it is also served to signed-out people and explains what is wrong.
  const statusOf = (asking: Promise<unknown>): Promise<number> =>
    asking.then(
      () => 200,
      (error) => refuse(error).status,
    )

  // A caller without an identity learns nothing, not even which paths exist.
  const elsewhere = async (here: Here, answerer: () => Response): Promise<Response> => {
    const allowance = newAllowance(inside, settings.deadlineMs)
    try {
      refuseSite(here.req.method === 'GET' || here.req.method === 'HEAD' ? refuseForeignRead : refuseCrossSite, here)
      const { actor } = await access.actor(here.req.raw, here.env.caller, allowance)
      await limits.actor(actor, allowance.leftMs)
      return answerer()
    } catch (error) {
      trace({ error, request: here.req.raw, caller: here.env.caller })
      return refuse(error)
    }
  }

  if (settings.dashboard !== undefined) {
    const { asset, assets } = settings.dashboard
    for (const path of assets) app.get(path, (here) => asset(here.req.raw, path))
  }

  for (const [path, routes] of byPath([openapiRoute(settings.credential), ...ROUTES])) {
    const allow = [...routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])), 'OPTIONS'].join(', ')
    for (const route of routes) app.on(route.method, path, (here) => answer(route, here))
    app.options(path, (here) => {
      const cors = corsHeaders(here.req.raw, settings)
      const preflight = 'access-control-allow-origin' in cors && preflightHeaders(allow, settings.credentialFields)
      return new Response(null, { status: 204, headers: { allow, ...preflight } })
    })
    app.all(path, (here) =>
      elsewhere(here, () => {
        const { method } = here.req
        checkId(path, here.req.param('id') ?? '', method === 'POST' && path === '/:id' ? NO_ID_TO_POST : NO_ID)
        return notAllowed(allow, INSTEAD[`${method} ${path}`])
      }),
    )
  }
  app.notFound((here) => elsewhere(here, () => problemResponse(new PathRefusal())))
  app.onError((error) => problemResponse(error))

  const addressBy = (find: () => string | undefined, secrets: () => readonly string[]): string | undefined => {
    try {
      return atOnce('ip', find())
    } catch (error) {
      throw unidentified(inside, error, secrets())
    }
  }

  return async (request, arriving, mountPath) => {
    const mount = mountPath.replace(/\/+$/, '')
    const secrets = (): readonly string[] => secretsIn(request.headers, settings.credentialFields)
    try {
      const { ip, mountName = () => mount } = arriving
      const caller = { ...arriving, ip: typeof ip === 'function' ? addressBy(ip, secrets) : ip }
      const isNormal = arriving.target === undefined || isNormalTarget(arriving.target)
      const path = isNormal ? pathBelow(request, mount) : NOWHERE
      if (isNormal && path === NOWHERE) warnOutside(request, mount, mountName())
      const response = await app.fetch(request, { caller, mountPath: mount, mountName, path })
      return finish(response, request, settings)
    } catch (error) {
      undoUse(arriving.use)
      return finish(refuse(error), request, settings)
    } finally {
      handOver(inside, arriving.waitUntil, { before: trace.settled, secrets })
    }
  }
}

// Some hosts keep a trailing slash on the mount path and some do not. No path of the API needs percent-encoding, so its normal form has none.
function pathBelow(request: Request, mount: string): string {
  const { pathname } = new URL(request.url)
  if (!pathname.startsWith(mount)) return NOWHERE
  const path = pathname.slice(mount.length)
  if (path === '') return '/'
  return path.startsWith('/') && !path.includes('%') ? path : NOWHERE
}

// Callers choose the path, and often a part of the mount path, so warn only once per pattern.
function warnOutside(request: Request, mount: string, mountName = ''): void {
  warn('LATCHKEY_W014', undefined, `${quote(new URL(request.url).pathname)} is not below ${quote(mount)}`, mountName)
}

function byPath(routes: readonly Route[]): Map<string, Route[]> {
  const paths = new Map<string, Route[]>()
  for (const route of routes) paths.set(route.path, [...(paths.get(route.path) ?? []), route])
  return paths
}

function json({ status, body, headers }: Reply): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}

function checkId(path: string, id: string, problem = NO_ID): void {
  if (path.startsWith('/:id') && !ID.test(id)) throw new PathRefusal(problem)
}

function notAllowed(allow: string, instead = ''): Response {
  const response = problemResponse(new Refusal('method_not_allowed', `this path accepts ${allow}${instead}`))
  response.headers.set('allow', allow)
  return response
}
