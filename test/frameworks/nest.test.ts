import 'reflect-metadata'
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type DynamicModule,
  type ExceptionFilter,
  Get,
  Header,
  HttpException,
  type INestApplication,
  Injectable,
  type ModuleMetadata,
  Param,
  type Type,
  UseGuards,
} from '@nestjs/common'
import { type AbstractHttpAdapter, APP_FILTER, APP_GUARD } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import type { FastifyInstance } from 'fastify'
import type { Authenticator, Principal } from 'latchkey'
import { dashboard } from 'latchkey/dashboard'
import {
  CurrentPrincipal,
  LatchkeyGuard,
  LatchkeyModule,
  type LatchkeyModuleOptions,
  Public,
  RefusedException,
  RequireScopes,
} from 'latchkey/nest'
import { testLatchkey, unguardedRoutes } from 'latchkey/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { hasSignal } from '../../src/verify/principal.js'
import { bearer, endpointsOf, kit } from '../support/http/tokens.js'

@Controller('stock')
@UseGuards(LatchkeyGuard)
class StockController {
  @Get('me')
  me(@CurrentPrincipal() principal: Principal | undefined) {
    return { name: principal?.name ?? null }
  }

  @Get('read')
  @RequireScopes('a:read')
  read(@CurrentPrincipal() principal: Principal) {
    return { name: principal.name }
  }

  @RequireScopes('a:read')
  @Get('both')
  @RequireScopes('a:write')
  both() {
    return {}
  }

  @Get('warehouses/:id')
  @RequireScopes('a:read', { warehouse: (request) => request.params.id })
  warehouse(@Param('id') id: string) {
    return { id }
  }
}

@Controller('alone')
class AloneController {
  @Get()
  @RequireScopes('a:read')
  read(@CurrentPrincipal() principal: Principal) {
    return { name: principal.name }
  }

  @Get('unguarded')
  unguarded(@CurrentPrincipal() principal: Principal) {
    return { name: principal.name }
  }

  @Get('open')
  open() {
    return {}
  }
}

@Controller('mixed')
@RequireScopes('a:read')
class MixedController {
  @Public()
  @Get('open')
  open(@CurrentPrincipal() principal: Principal | undefined) {
    return { name: principal?.name ?? null }
  }

  @Public()
  @RequireScopes('a:write')
  @Get('both')
  both() {
    return {}
  }

  @Get('closed')
  closed() {
    return {}
  }
}

@Public()
@Controller('lobby')
class LobbyController {
  @Get('open')
  open() {
    return {}
  }

  @UseGuards(LatchkeyGuard)
  @Get('closed')
  closed() {
    return {}
  }

  @RequireScopes('a:read')
  @Get('scoped')
  scoped() {
    return {}
  }
}

@Public()
@UseGuards(LatchkeyGuard)
@Controller('contradiction')
class ContradictionController {
  @Get()
  closed() {
    return {}
  }
}

@Controller('inherited')
class InheritedController extends StockController {}

@Controller('annex')
class AnnexController extends LobbyController {
  @Get('added')
  added(@CurrentPrincipal() principal: Principal | undefined) {
    return { name: principal?.name ?? null }
  }
}

@Public()
@Controller('hall')
class HallController extends LobbyController {}

@Controller('wing')
class WingController extends MixedController {}

const platforms = { Express: () => new ExpressAdapter(), Fastify: () => new FastifyAdapter() } as const
const open: INestApplication[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const app of open.splice(0)) await app.close()
})

/** Starts an application with Nest's test kit and returns a function that calls it. */
async function start(
  platform: keyof typeof platforms,
  options: LatchkeyModuleOptions,
  metadata: ModuleMetadata = {},
  prepare: (app: INestApplication) => unknown = () => undefined,
  adapter: AbstractHttpAdapter = platforms[platform](),
): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
  const { imports = [LatchkeyModule.forRoot(options)], ...rest } = metadata
  const controllers = [StockController, AloneController, InheritedController]
  const module = await Test.createTestingModule({ imports, controllers, ...rest }).compile()
  const app = module.createNestApplication(adapter, { logger: false, forceCloseConnections: true })
  open.push(app)
  prepare(app)
  await app.listen(0, '127.0.0.1')
  const origin = await app.getUrl()
  return (path, init) => fetch(origin + path, init)
}

/** Creates a module with one controller. */
function moduleOf(controller: Type): DynamicModule {
  class OwnModule {}
  return { module: OwnModule, controllers: [controller] }
}

describe.each(['Express', 'Fastify'] as const)('Nest on %s', (platform) => {
  it('a guarded route accepts only valid tokens, and its principal is available as a parameter', async () => {
    const { tokens, token } = await kit()
    const call = await start(platform, { tokens })
    expect((await call('/stock/me')).status).toBe(401)
    expect(await (await call('/stock/me', bearer(token))).json()).toEqual({ name: 'made' })
    expect((await call('/alone/open')).status).toBe(200)
  })

  it('required scopes and resources are checked with and without a guard on the class', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ resources: { warehouse: ['w1'] } })
    const call = await start(platform, { tokens })
    const statuses = async (...paths: string[]) => Promise.all(paths.map(async (path) => (await call(path, bearer(token))).status))
    expect(await statuses('/stock/read', '/alone', '/inherited/read')).toEqual([200, 200, 200])
    expect(await statuses('/stock/warehouses/w1', '/stock/warehouses/w2')).toEqual([200, 403])
    expect((await call('/alone')).status).toBe(401)
    expect((await call('/inherited/me')).status).toBe(401)
  })

  it('Nest keeps the credential header in Vary when a handler sets Vary', async () => {
    @Controller('varied')
    @UseGuards(LatchkeyGuard)
    class VariedController {
      @Get('header')
      @Header('Vary', 'Origin')
      header() {
        return {}
      }

      @Get('plain')
      plain() {
        return {}
      }
    }
    const { tokens, token } = await kit()
    const call = await start(platform, { tokens, credential: { header: 'x-api-key' } }, { controllers: [VariedController] })
    const vary = async (path: string) => (await call(path, { headers: { 'x-api-key': token } })).headers.get('vary')
    expect(await vary('/varied/plain')).toBe('x-api-key')
    expect(await vary('/varied/header')).toBe('Origin, x-api-key')
  })

  it('the guard refuses the request if the principal cannot be attached, and names the route', async () => {
    const { tokens, token } = await kit()
    const told: string[] = []
    const onWarning = ({ code, message }: { code: string; message: string }): unknown => told.push(`${code} ${message}`)
    const fix = (request: object): unknown => Object.defineProperty(request, 'principal', { value: { name: 'fixed' } })
    const call = await start(platform, { tokens, onWarning }, {}, (app) => {
      const server: FastifyInstance | undefined = platform === 'Fastify' ? app.getHttpAdapter().getInstance() : undefined
      const useFix = (request: object, _response: object, next: () => void): void => {
        fix(request)
        next()
      }
      if (server === undefined) app.use(useFix)
      else server.addHook('onRequest', async (request) => void fix(request))
    })
    for (let turn = 0; turn < 2; turn += 1) expect((await call('/stock/me', bearer(token))).status).toBe(500)
    expect(told).toEqual([expect.stringMatching(/^LATCHKEY_W015 .*: GET \/stock\/me$/)])
  })

  it('when a route has several decorators, all of them are checked', async () => {
    const { tokens, token, create } = await kit()
    const writer = await create({ scopes: ['a:write'] })
    const both = await create({ scopes: ['a:read', 'a:write'] })
    const call = await start(platform, { tokens })
    const found = [token, writer.token, both.token].map(async (each) => (await call('/stock/both', bearer(each))).status)
    expect(await Promise.all(found)).toEqual([403, 403, 200])
  })

  it('a request that passes guards on the class and the method is decided and counted once, under its route', async () => {
    const warned = vi.fn()
    const { tokens, token, id } = await kit()
    const call = await start(platform, { tokens, onWarning: warned })
    await (await call('/stock/warehouses/w7', bearer(token))).arrayBuffer()
    await (await call('/stock/both', bearer(token))).arrayBuffer()
    expect(await endpointsOf(tokens, id, 2)).toEqual(['GET /stock/both scope_insufficient', 'GET /stock/warehouses/:id allowed'])
    expect(warned).not.toHaveBeenCalled()
  })

  it("a principal's signal is released with the response", async () => {
    const seen: Principal[] = []
    @Controller('watch')
    class WatchController {
      @Get()
      @RequireScopes('a:read')
      watch(@CurrentPrincipal() principal: Principal) {
        seen.push(principal)
        return { aborted: principal.signal.aborted }
      }
    }
    const { tokens, token } = await kit()
    const call = await start(platform, { tokens }, { imports: [LatchkeyModule.forRoot({ tokens }), moduleOf(WatchController)] })
    expect(await (await call('/watch', bearer(token))).json()).toEqual({ aborted: false })
    await expect.poll(() => seen.map(hasSignal)).toEqual([false])
  })

  it.each([
    [true, ['LATCHKEY_W010']],
    [false, []],
  ])('blanket trust in forwarding headers causes a warning: %s', async (trustProxy, codes) => {
    const warned = vi.fn()
    const { tokens, token } = await kit()
    const adapter = platform === 'Express' ? new ExpressAdapter() : new FastifyAdapter({ trustProxy })
    const trust = (app: INestApplication): unknown =>
      platform === 'Express' && app.getHttpAdapter().getInstance().set('trust proxy', trustProxy)
    const call = await start(platform, { tokens, onWarning: warned }, {}, trust, adapter)
    expect((await call('/stock/me', bearer(token))).status).toBe(200)
    expect(warned.mock.calls.map(([{ code }]) => code)).toEqual(codes)
  })

  it('an outage causes a 503 with Retry-After', async () => {
    const { outage, token } = await kit()
    const answer = await (await start(platform, { tokens: outage }))('/stock/me', bearer(token))
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
  })

  it.each(['by APP_FILTER', 'by useGlobalFilters'])(
    'an exception filter set %s shapes refusals but keeps their challenge and admits no request',
    async (way) => {
      @Catch()
      class AllFilter implements ExceptionFilter {
        catch(error: unknown, host: ArgumentsHost): void {
          const response = host.switchToHttp().getResponse()
          const status = error instanceof HttpException ? error.getStatus() : 500
          response.status(status).send({ mine: error instanceof RefusedException ? error.getResponse() : 'other' })
        }
      }
      const { tokens } = await kit()
      const byProvider = way === 'by APP_FILTER'
      const metadata = byProvider ? { providers: [{ provide: APP_FILTER, useClass: AllFilter }] } : {}
      const call = await start(platform, { tokens }, metadata, (app) => byProvider || app.useGlobalFilters(new AllFilter()))
      const answer = await call('/stock/me', bearer('nonsense'))
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('invalid_token')])
      expect(await answer.json()).toMatchObject({ mine: { code: 'token_invalid' } })
    },
  )

  it('an application-wide guard guards every route', async () => {
    const { tokens, token } = await kit()
    const call = await start(platform, { tokens }, { providers: [{ provide: APP_GUARD, useClass: LatchkeyGuard }] })
    expect((await call('/alone/open')).status).toBe(401)
    expect((await call('/alone/open', bearer(token))).status).toBe(200)
  })

  it('@Public exempts a route from outer guards only, not from a guard at the same or an inner level', async () => {
    const { tokens, token } = await kit()
    const controllers = [MixedController, LobbyController, ContradictionController, AloneController]
    let app: INestApplication | undefined
    const guard = { provide: APP_GUARD, useClass: LatchkeyGuard }
    const call = await start(platform, { tokens }, { providers: [guard], controllers }, (made) => {
      app = made
    })
    const status = async (path: string, init?: RequestInit) => (await call(path, init)).status
    const open = ['/mixed/open', '/lobby/open']
    const closed = ['/mixed/both', '/mixed/closed', '/lobby/closed', '/lobby/scoped', '/contradiction', '/alone/open']
    for (const path of open) expect([path, await status(path), await status(path, bearer('nonsense'))]).toEqual([path, 200, 200])
    for (const path of closed) expect([path, await status(path)]).toEqual([path, 401])
    expect([await status('/mixed/closed', bearer(token)), await status('/mixed/both', bearer(token))]).toEqual([200, 403])
    expect(await (await call('/mixed/open', bearer(token))).json()).toEqual({ name: null })
    if (platform === 'Express') {
      expect([...(await unguardedRoutes(app as INestApplication))].sort()).toEqual(['GET /lobby/open', 'GET /mixed/open'])
    }
  })

  it('a controller that extends a public controller is not public unless it is decorated as public itself', async () => {
    const { tokens, token } = await kit()
    const controllers = [AnnexController, HallController, WingController]
    let app: INestApplication | undefined
    const guard = { provide: APP_GUARD, useClass: LatchkeyGuard }
    const call = await start(platform, { tokens }, { providers: [guard], controllers }, (made) => {
      app = made
    })
    const status = async (path: string, init?: RequestInit) => (await call(path, init)).status
    for (const path of ['/annex/open', '/annex/added']) {
      expect([path, await status(path), await status(path, bearer(token))]).toEqual([path, 401, 200])
    }
    expect(await (await call('/annex/added', bearer(token))).json()).toEqual({ name: 'made' })
    for (const path of ['/hall/open', '/wing/open']) expect([path, await status(path)]).toEqual([path, 200])
    if (platform === 'Express') {
      expect([...(await unguardedRoutes(app as INestApplication))].sort()).toEqual(['GET /hall/open', 'GET /wing/open'])
    }
  })

  it('a principal parameter without a guard is an error, not an open route', async () => {
    const { tokens, token } = await kit()
    const call = await start(platform, { tokens })
    expect((await call('/alone/unguarded', bearer(token))).status).toBe(500)
  })

  it('an optional token yields no principal when none is sent', async () => {
    const { tokens } = await kit()
    const call = await start(platform, { tokens, optional: true })
    expect(await (await call('/stock/me')).json()).toEqual({ name: null })
    expect((await call('/stock/read')).status).toBe(401)
    expect((await call('/stock/me', bearer('nonsense'))).status).toBe(401)
  })

  it('the management API and the page are served, with bodies, to callers named by the actor callback', async () => {
    const { tokens } = await kit()
    const call = await start(platform, {
      tokens,
      management: {
        path: '/admin/tokens',
        actor: ({ headers }) => (headers['x-user'] === 'ann' ? { id: 'ann', tenants: '*', manages: 'all' } : undefined),
        dashboard: dashboard({ title: 'Stock' }),
      },
    })
    const headers = { 'x-user': 'ann', 'content-type': 'application/json' }
    expect((await call('/admin/tokens')).status).toBe(401)
    const made = await call('/admin/tokens', { method: 'POST', headers, body: JSON.stringify({ name: 'ERP', scopes: ['a:read'] }) })
    expect(made.status).toBe(201)
    const { token } = (await made.json()) as { token: string }
    expect((await call('/stock/read', bearer(token))).status).toBe(200)
    const page = await call('/admin/tokens/', { headers: { accept: 'text/html', 'x-user': 'ann' } })
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
    expect(await page.text()).toContain('Stock')
  })

  it('the management API is served under a path with a parameter', async () => {
    const { tokens } = await kit()
    const actor = () => ({ id: 'ann', tenants: '*', manages: 'all' }) as const
    const call = await start(platform, { tokens, management: { path: '/orgs/:org/tokens', actor } })
    expect((await call('/orgs/acme/tokens')).status).toBe(200)
    expect((await call('/orgs/acme/tokens/counts')).status).toBe(200)
  })

  it('the module options can come from other providers', async () => {
    const { tokens, token } = await kit()
    @Injectable()
    class Settings {
      readonly realm = 'stock'
    }
    const imports = [
      LatchkeyModule.forRootAsync({
        imports: [{ module: class SettingsModule {}, providers: [Settings], exports: [Settings] }],
        inject: [Settings],
        useFactory: async ({ realm }: Settings) => ({ tokens, realm }),
      }),
    ]
    const call = await start(platform, { tokens }, { imports })
    expect((await call('/stock/me')).headers.get('www-authenticate')).toBe('Bearer realm="stock"')
    expect((await call('/stock/me', bearer(token))).status).toBe(200)
  })
})

describe('Nest setup', () => {
  it.each([
    ['an unknown option', { realms: 'x' }, /realms/],
    ['a management path without its slash', { management: { path: 'admin', actor: () => undefined } }, /management\.path/],
    ['a management API without an actor', { management: { path: '/admin' } }, /actor/],
  ])('the application does not start with %s', async (_name, wrong, message) => {
    const { tokens } = await kit()
    await expect(start('Express', { tokens, ...wrong } as never)).rejects.toThrow(message)
  })

  it('the application refuses to start if tokens is not an instance', async () => {
    await expect(start('Express', { tokens: {} as Authenticator })).rejects.toThrow(/tokens/)
  })

  it('the application does not start if a guard is used without the module', async () => {
    const { tokens } = await kit()
    await expect(start('Express', { tokens }, { imports: [] })).rejects.toThrow(
      /(?:LatchkeyGuard|ScopesGuard).*LatchkeyModule\.forRoot\(\)/,
    )
  })

  it('an instance passed as the options is rejected with a hint that shows the right call', async () => {
    const { tokens } = await kit()
    await expect(start('Express', tokens as never)).rejects.toThrow('LatchkeyModule.forRoot({ tokens })')
  })

  it('a guard rejects anything but HTTP routes', async () => {
    const { tokens } = await kit()
    const module = await Test.createTestingModule({
      imports: [LatchkeyModule.forRoot({ tokens })],
      providers: [LatchkeyGuard],
    }).compile()
    const context = { getType: () => 'ws', switchToHttp: () => ({ getRequest: () => ({}), getResponse: () => ({}) }) }
    await expect(module.get(LatchkeyGuard).canActivate(context as never)).rejects.toThrow(/of type ws, which cannot be guarded/)
  })

  it('a principal attached in a unit test is passed to a parameter with @CurrentPrincipal()', async () => {
    const { attachPrincipal } = testLatchkey({ scopes: { 'a:read': 'Read' } })
    const request = {}
    const principal = await attachPrincipal(request, { scopes: ['a:read'] })
    const { ROUTE_ARGS_METADATA } = await import('@nestjs/common/constants.js')
    const args: object = Reflect.getMetadata(ROUTE_ARGS_METADATA, StockController, 'me')
    const [{ factory }] = Object.values(args) as [{ factory: (data: unknown, context: unknown) => unknown }]
    const context = { getType: () => 'http', switchToHttp: () => ({ getRequest: () => request, getResponse: () => ({}) }) }
    expect(factory(undefined, context)).toBe(principal)
  })
})
