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
import { markGuard, PUBLIC_METADATA } from '../../src/http/guard-marks.js'
import type { FirstArgument, FirstInput, RestArguments, RestInput } from '../../src/http/named-scopes.js'
import type { AuthenticateOptions as Options } from '../../src/http/options.js'
import type { PlainResponse } from '../../src/http/problem.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import type { Authenticator } from '../../src/instance.js'
import { admitAs, endpointOf, type HttpRequest, type HttpResponse, platform, send, setHeaders } from './nest/http.js'
import { type ManagementOptions, mountManagement } from './nest/management.js'
import { RefusedException } from './nest/refused-exception.js'

export { type HttpRequest, type ManagementOptions, RefusedException }

/** The options of `LatchkeyModule`: those of `authenticate` on the other frameworks, the instance, and the management API where it is wanted. */
export type LatchkeyModuleOptions = Options<HttpRequest> & {
  /** The instance, or what `accept` made of several. */
  readonly tokens: Authenticator
  /** Serves the management API, for which `tokens` must be an instance. */
  readonly management?: ManagementOptions | undefined
}

/** The options of `LatchkeyModule`, made of other providers. */
export type LatchkeyModuleAsyncOptions = Pick<ModuleMetadata, 'imports'> &
  Pick<FactoryProvider<LatchkeyModuleOptions>, 'inject' | 'useFactory'>

type Metadata = Parameters<Reflector['get']>[1]
type Engine = { readonly decide: Authenticate<HttpRequest>; readonly options: LatchkeyModuleOptions }

const OPTIONS = Symbol('latchkey.nest.options')
const ENGINE = Symbol('latchkey.nest.engine')

function createEngine(options: LatchkeyModuleOptions): Engine {
  const { tokens, management: _, ...rest } = Object(options) as LatchkeyModuleOptions
  return { decide: createGuard(tokens, rest, platform), options }
}

/**
 * Guard that lets in only requests with a good token. `@RequireScopes` brings it along, so it is needed only where no scope is required.
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
    this.#decide = (engine as Engine).decide
    // A class of the host's that extends this one decides what it likes.
    if (new.target === LatchkeyGuard && !this.#decide.guard.optional) markGuard(this)
  }

  /** Decides about the request of an HTTP route. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const [request, response] = onHttp(context)
    if (isFreed(this, context)) return true
    // A guard on the class and one on the method decide once.
    if (admissionOf(request)?.guard !== this.#decide.guard) {
      refuse(admitAs(await this.#decide(request), this.#decide.guard, request, response), response)
    }
    return true
  }
}
Injectable()(LatchkeyGuard)
Inject(ENGINE)(LatchkeyGuard, undefined, 0)

/**
 * Decorator that lets a request through only with a good token that has all of these scopes (or any, with `{ any: [...] }`) and reaches these
 * resources. It stands on a method or a controller, by itself: `LatchkeyGuard` is not needed beside it.
 *
 * @throws InvalidInputError `invalid_input` when the arguments are unsound.
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
  const check = createScopeCheck<HttpRequest>(args, endpointOf)
  // A class of its own, since Nest puts the guards of class and method together and replaces other metadata.
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
 * Decorator that opens a route to everybody: on a method, it takes away what `LatchkeyGuard` and `@RequireScopes` of its controller and of the application
 * ask for; on a controller, what those of the application ask for. A guard at the same place stays, so that no route is open by a contradiction.
 *
 * A token that is sent nevertheless is not looked at.
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

function isPublic(target: object): boolean {
  return reflector.get<unknown>(PUBLIC_METADATA, target as Metadata) === true
}

function isFreed(guard: CanActivate, context: ExecutionContext): boolean {
  const [handler, type] = [context.getHandler(), context.getClass()]
  const standsOn = (target: object): boolean =>
    [reflector.get<unknown>('__guards__', target as Metadata) ?? []].flat().some((each) => each === guard || each === guard.constructor)
  if (standsOn(handler)) return false
  return isPublic(handler) || (!standsOn(type) && isPublic(type))
}

/**
 * Decorator for the parameter that takes who the token speaks for; `undefined` on a route that is `@Public`, and where `optional` is set and no token was sent.
 *
 * @throws InvalidInputError `invalid_input` where no guard of latchkey stands before the method.
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
  throw new InvalidInputError('principal', 'no guard stands here: add @RequireScopes or LatchkeyGuard')
})

/**
 * Module that makes the guard and the decorators known to the whole application, and serves the management API where its options are given.
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
    // Here it comes before the filters of the host's, of which the last takes precedence; as a provider it could come behind them.
    config.useGlobalFilters(new RefusedExceptionFilter())
  }

  /** Takes the options as they are. */
  static forRoot(options: LatchkeyModuleOptions): DynamicModule {
    return LatchkeyModule.forRootAsync({ useFactory: () => options })
  }

  /** Takes the options from a factory, which may be asynchronous and ask for other providers. */
  static forRootAsync({ imports = [], inject = [], useFactory }: LatchkeyModuleAsyncOptions): DynamicModule {
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
    const { tokens, management } = this.#engine.options
    if (management !== undefined) mountManagement(this.#host.httpAdapter, tokens, management)
  }
}
Module({})(LatchkeyModule)
Inject(ENGINE)(LatchkeyModule, undefined, 0)
Inject(HttpAdapterHost)(LatchkeyModule, undefined, 1)
Inject(ApplicationConfig)(LatchkeyModule, undefined, 2)

/** Sends refusals as every adapter does, unless a filter of the host's takes them. */
class RefusedExceptionFilter implements ExceptionFilter<RefusedException> {
  catch({ answer }: RefusedException, host: { getArgByIndex(index: number): HttpResponse }): void {
    send(host.getArgByIndex(1), answer)
  }
}
Catch(RefusedException)(RefusedExceptionFilter)

function onHttp(context: ExecutionContext): readonly [HttpRequest, HttpResponse] {
  const type: string = context.getType()
  if (type !== 'http') throw new InvalidInputError('context', `of type ${type} is not guarded: latchkey/nest guards HTTP routes`)
  const http = context.switchToHttp()
  return [http.getRequest(), http.getResponse()]
}

// Thrown, as Nest's filters, interceptors and logs expect. The fields are set before, so that a filter of the host's keeps the challenge.
function refuse(answer: PlainResponse | undefined, response: HttpResponse): void {
  if (answer === undefined) return
  setHeaders(response, answer)
  throw new RefusedException(answer)
}
