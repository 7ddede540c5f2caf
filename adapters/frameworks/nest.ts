import {
  type CanActivate,
  Catch,
  createParamDecorator,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  type FactoryProvider,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  type NestModule,
  SetMetadata,
  UseGuards,
} from '@nestjs/common'
import { ApplicationConfig, HttpAdapterHost, Reflector } from '@nestjs/core'
import { InvalidInputError } from '../../src/errors.js'
import { admissionOf } from '../../src/http/admission.js'
import { type Authenticate, createGuard } from '../../src/http/authenticate.js'
import { isPublic, markGuard, PUBLIC_METADATA } from '../../src/http/guard-marks.js'
import type { FirstArgument, FirstInput, RestArguments, RestInput } from '../../src/http/named-scopes.js'
import type { AuthenticateOptions as Options } from '../../src/http/options.js'
import type { PlainResponse } from '../../src/http/problem.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import type { Authenticator } from '../../src/instance.js'
import { detached } from '../../src/policy/option-reader.js'
import { admitAs, endpointOf, type HttpRequest, type HttpResponse, platform, send, setHeaders } from './nest/http.js'
import { type ManagementOptions, mountManagement } from './nest/management.js'
import { RefusedException } from './nest/refused-exception.js'

export { type HttpRequest, type ManagementOptions, RefusedException }

/** The options of `LatchkeyModule`: the instance, the options that `authenticate` takes on other frameworks, and optionally the management API. */
export type LatchkeyModuleOptions = Options<HttpRequest> & {
  /** The instance, or the authenticator that `accept` returned. */
  readonly tokens: Authenticator
  /** Serves the management API. Requires `tokens` to be an instance. */
  readonly management?: ManagementOptions | undefined
}

/** The options of `LatchkeyModule`, created from other providers. */
export type LatchkeyModuleAsyncOptions = Pick<ModuleMetadata, 'imports'> &
  Pick<FactoryProvider<LatchkeyModuleOptions>, 'inject' | 'useFactory'>

type Metadata = Parameters<Reflector['get']>[1]
type Engine = Pick<LatchkeyModuleOptions, 'tokens' | 'management'> & { readonly decide: Authenticate<HttpRequest> }

const OPTIONS = Symbol('options of LatchkeyModule.forRoot(), imported once in the root module')
const ENGINE = Symbol('LatchkeyModule.forRoot(), imported once in the root module')

function checkTokens(options: unknown): void {
  if ('tokens' in Object(options)) return
  throw new InvalidInputError('tokens', 'must be passed as an option: LatchkeyModule.forRoot({ tokens })')
}

function createEngine(options: LatchkeyModuleOptions): Engine {
  checkTokens(options)
  const { tokens, management, ...rest } = detached(options, ['tokens', 'management'])
  return { decide: createGuard(tokens, rest, platform), tokens, management }
}

/**
 * Guard that accepts only requests with a valid token. `@RequireScopes` includes it, so use it only on routes that require no scope.
 *
 * @throws RefusedException when the request is refused
 * @example
 * ```ts
 * @Controller('me')
 * @UseGuards(LatchkeyGuard)
 * export class MeController {}
 * ```
 */
export class LatchkeyGuard implements CanActivate {
  readonly #decide: Authenticate<HttpRequest>

  constructor(engine: unknown) {
    if (typeof Object(engine).decide !== 'function') {
      throw new InvalidInputError('engine', 'is passed by Nest: write @UseGuards(LatchkeyGuard), without new')
    }
    this.#decide = (engine as Engine).decide
    // A host class that extends this one makes its own decision.
    if (new.target === LatchkeyGuard && !this.#decide.guard.optional) markGuard(this)
  }

  /** Decides whether the request to an HTTP route may proceed. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const [request, response] = onHttp(context)
    if (isFreed(this, context)) return true
    // If both the class and the method have this guard, it decides once.
    if (admissionOf(request)?.guard !== this.#decide.guard) {
      const outcome = await this.#decide(request)
      const { guard } = this.#decide
      refuse(
        guard.admitBy((settled, req, res) => admitAs(settled, guard, req, res), outcome, request, response),
        response,
      )
    }
    return true
  }
}
Injectable()(LatchkeyGuard)
Inject(ENGINE)(LatchkeyGuard, undefined, 0)

/**
 * Decorator that allows a request only with a valid token that has all of these scopes (or any of them, with `{ any: [...] }`) and may access
 * these resources. Put it on a method or a controller. You do not need `LatchkeyGuard` in addition.
 *
 * @throws InvalidInputError `invalid_input` if the arguments are invalid.
 * @example
 * ```ts
 * @Get('warehouses/:id')
 * @RequireScopes('inventory:read', { warehouse: (request) => request.params.id })
 * show(@Param('id') id: string) {}
 * ```
 */
export function RequireScopes<const First extends FirstInput, const Rest extends RestInput<First, HttpRequest>>(
  ...args: readonly [FirstArgument<First>, ...RestArguments<Rest>]
): MethodDecorator & ClassDecorator {
  const check = createScopeCheck<HttpRequest>(args, endpointOf, 'RequireScopes')
  // A separate class, because Nest combines the guards of class and method, while other metadata is replaced.
  class ScopesGuard extends LatchkeyGuard {
    constructor(engine: unknown) {
      super(engine)
      markGuard(this)
    }

    override async canActivate(context: ExecutionContext): Promise<boolean> {
      await super.canActivate(context)
      const [request, response] = onHttp(context)
      if (isFreed(this, context)) return true
      refuse(await check(request), response)
      return true
    }
  }
  return UseGuards(ScopesGuard)
}

/**
 * Decorator that makes a route public. On a method, it lifts the requirements that `LatchkeyGuard` and `@RequireScopes` set on its controller and on
 * the application; on a controller, those set on the application. A guard at the same level still applies, so contradictory decorators never make a route
 * public. A controller that extends a public one is not public, unless it has the decorator itself; a public method stays public when it is inherited.
 *
 * If a request carries a token anyway, the token is ignored.
 *
 * @example
 * ```ts
 * // With { provide: APP_GUARD, useClass: LatchkeyGuard } among the providers.
 * @Public()
 * @Get('health')
 * health() { return { ok: true } }
 * ```
 */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(PUBLIC_METADATA, true)

const reflector = new Reflector()

function isFreed(guard: CanActivate, context: ExecutionContext): boolean {
  const [handler, type] = [context.getHandler(), context.getClass()]
  const standsOn = (target: object): boolean =>
    [reflector.get<unknown>('__guards__', target as Metadata) ?? []].flat().some((each) => each === guard || each === guard.constructor)
  if (standsOn(handler)) return false
  return isPublic(handler) || (!standsOn(type) && isPublic(type))
}

/**
 * Parameter decorator that injects the principal of the request. It is `undefined` on a `@Public` route, and if `optional` is set and no token was
 * sent.
 *
 * @throws InvalidInputError `invalid_input` if no latchkey guard runs before the method.
 * @example
 * ```ts
 * me(@CurrentPrincipal() principal: Principal) { return principal.name }
 * ```
 */
export const CurrentPrincipal: () => ParameterDecorator = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const [request] = onHttp(context)
  const admission = admissionOf(request)
  if (admission !== undefined) return admission.principal
  if (isPublic(context.getHandler()) || isPublic(context.getClass())) return undefined
  throw new InvalidInputError('principal', 'this route has no guard: add @RequireScopes or LatchkeyGuard')
})

/**
 * Module that makes the guard and the decorators available to the whole application, and serves the management API if `management` is set.
 *
 * @example
 * ```ts
 * @Module({ imports: [LatchkeyModule.forRoot({ tokens })], controllers: [StockController] })
 * export class AppModule {}
 * ```
 */
export class LatchkeyModule implements NestModule {
  readonly #engine: Engine
  readonly #host: HttpAdapterHost

  constructor(engine: unknown, host: HttpAdapterHost, config: ApplicationConfig) {
    this.#engine = engine as Engine
    this.#host = host
    // In Nest, the last matching filter wins. Registered here, this filter comes before the host's filters; as a provider, it could come after them.
    config.useGlobalFilters(new RefusedExceptionFilter())
  }

  /** Takes the options directly. */
  static forRoot(options: LatchkeyModuleOptions): DynamicModule {
    checkTokens(options)
    return LatchkeyModule.forRootAsync({ useFactory: () => options })
  }

  /** Takes the options from a factory, which may be asynchronous and inject other providers. */
  static forRootAsync(options: LatchkeyModuleAsyncOptions): DynamicModule {
    const { imports = [], inject = [], useFactory } = Object(options) as LatchkeyModuleAsyncOptions
    if (typeof useFactory !== 'function') {
      throw new InvalidInputError('useFactory', 'must return the options: LatchkeyModule.forRootAsync({ useFactory })')
    }
    return {
      module: LatchkeyModule,
      global: true,
      imports,
      providers: [
        { provide: OPTIONS, inject, useFactory },
        { provide: ENGINE, inject: [OPTIONS], useFactory: createEngine },
      ],
      exports: [ENGINE],
    }
  }

  /** Mounts the management API. Called by Nest. */
  configure(): void {
    const { tokens, management } = this.#engine
    if (management !== undefined) mountManagement(this.#host.httpAdapter, tokens, management)
  }
}
Module({})(LatchkeyModule)
Inject(ENGINE)(LatchkeyModule, undefined, 0)
Inject(HttpAdapterHost)(LatchkeyModule, undefined, 1)
Inject(ApplicationConfig)(LatchkeyModule, undefined, 2)

/** Sends refusals as every adapter does, unless one of the host's filters handles them. */
class RefusedExceptionFilter implements ExceptionFilter<RefusedException> {
  catch({ answer }: RefusedException, host: { getArgByIndex(index: number): HttpResponse }): void {
    send(host.getArgByIndex(1), answer)
  }
}
Catch(RefusedException)(RefusedExceptionFilter)

function onHttp(context: ExecutionContext): readonly [HttpRequest, HttpResponse] {
  const type: string = context.getType()
  if (type !== 'http')
    throw new InvalidInputError('context', `is of type ${type}, which cannot be guarded: latchkey/nest guards only HTTP routes`)
  const http = context.switchToHttp()
  return [http.getRequest(), http.getResponse()]
}

// Thrown, because Nest's filters, interceptors and logs expect that. The header fields are set first, so that a host filter keeps the challenge.
function refuse(answer: PlainResponse | undefined, response: HttpResponse): void {
  if (answer === undefined) return
  setHeaders(response, answer)
  throw new RefusedException(answer)
}
