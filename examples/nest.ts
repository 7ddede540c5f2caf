/** latchkey under NestJS: `npx tsx examples/nest.ts` serves it on a free port, calls it, and stops. */
import 'reflect-metadata'
import { Controller, Get, HttpCode, Module, Param, Put } from '@nestjs/common'
import { APP_GUARD, NestFactory } from '@nestjs/core'
import { type Latchkey, latchkey, type Principal } from 'latchkey'
import { CurrentPrincipal, LatchkeyGuard, LatchkeyModule, Public, RequireScopes } from 'latchkey/nest'
import { memoryStore } from 'latchkey/stores/memory'
import { demoUser, tryOut } from './support/try-out.js'

const tokens: Latchkey = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})

@Controller('api')
class StockController {
  @Get('stock')
  @RequireScopes('inventory:read')
  stock(@CurrentPrincipal() principal: Principal): object {
    return { bolts: 1200, caller: principal.name }
  }

  @Put('stock')
  @HttpCode(204)
  @RequireScopes('inventory:write')
  change(): void {}

  @Get('warehouses/:id')
  @RequireScopes('inventory:read', { warehouse: (request) => request.params.id })
  warehouse(@Param('id') id: string): object {
    return { warehouse: id }
  }
}

@Controller('health')
class HealthController {
  @Public()
  @Get()
  health(): object {
    return { ok: true }
  }
}

@Module({
  imports: [
    LatchkeyModule.forRoot({
      tokens,
      management: { path: '/admin/tokens', actor: (request) => demoUser(request.headers['x-demo-user']?.toString()) },
    }),
  ],
  controllers: [StockController, HealthController],
  // Every route that is not @Public requires a token.
  providers: [{ provide: APP_GUARD, useClass: LatchkeyGuard }],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: false, forceCloseConnections: true })
await app.listen(0, '127.0.0.1')
const origin = await app.getUrl()
try {
  const health = await fetch(`${origin}/health`)
  if (!health.ok) throw new Error(`a public route answered ${health.status}`)
  await tryOut(tokens, (path, init) => fetch(origin + path, init))
} finally {
  await app.close()
  await tokens.close()
}
