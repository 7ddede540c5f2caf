import { HttpException } from '@nestjs/common'

/** A refusal. Without an exception filter, its response is sent as on every other framework. */
export class RefusedException extends HttpException {
  /** The response: status, header fields, and the body as text. */
  readonly answer: { readonly status: number; readonly headers: { readonly [name: string]: string }; readonly body: string }

  constructor(answer: RefusedException['answer']) {
    super(JSON.parse(answer.body), answer.status)
    this.answer = answer
  }
}
