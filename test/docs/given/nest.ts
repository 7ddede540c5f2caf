export { Controller, Get, Module } from '@nestjs/common'
export { APP_GUARD } from '@nestjs/core'
export { CurrentPrincipal, LatchkeyGuard, LatchkeyModule, Public, RequireScopes } from 'latchkey/nest'
