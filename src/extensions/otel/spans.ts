import { type Span, trace } from '@opentelemetry/api'
import type { Internals } from '../../instance.js'
import type { Principal } from '../../model/principal.js'

/** Adds the accepted token's IDs, or the reason for a refusal, to the active span, but never a secret. An SDK error never fails a request. */
export function annotateSpans({ vitals }: Internals, owner: boolean): () => void {
  vitals.onAllowed = (principal) => {
    try {
      const span = trace.getActiveSpan()
      if (span?.isRecording() === true) annotate(span, principal, owner)
    } catch {
      // The span does not get these attributes.
    }
  }
  vitals.onRefused = (code) => {
    try {
      trace.getActiveSpan()?.setAttribute('latchkey.code', code)
    } catch {
      // The span does not get these attributes.
    }
  }
  return () => {
    vitals.onAllowed = undefined
    vitals.onRefused = undefined
  }
}

function annotate(span: Span, { tokenId, tenantId, ownerId }: Principal, owner: boolean): void {
  if (tokenId !== undefined) span.setAttribute('latchkey.token.id', tokenId)
  if (tenantId !== undefined) span.setAttribute('latchkey.tenant.id', tenantId)
  if (owner && ownerId !== undefined) span.setAttribute('user.id', ownerId)
}
