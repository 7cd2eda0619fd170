// The milter door of a story: relay, rules and store are real, the MTA's side is played.
import { silentLog } from '../../src/log.ts';
import { createMilter } from '../../src/milter/milter.ts';
import { createRouter, type RouterOptions, routerActions } from '../../src/milter/router.ts';
import { Mta } from './mta.ts';
import { Story } from './story.ts';

export class MilterStory implements AsyncDisposable {
  readonly #undo = new AsyncDisposableStack();
  readonly story: Story;
  mta!: Mta;

  private constructor(story: Story) {
    this.story = story;
    this.#undo.defer(() => story.end());
  }

  static async begin(
    rules: string,
    options: Partial<RouterOptions> & { readonly actions?: number; readonly largest?: number } = {},
  ): Promise<MilterStory> {
    const made = new MilterStory(await Story.begin(rules, { markKey: 'key' }));
    made.mta = await made.dial(options);
    return made;
  }

  /** Another MTA, with a milter of its own on the relay as it is now (after a crash it is another one). */
  async dial({
    actions = 0x1ff,
    largest,
    ...options
  }: Partial<RouterOptions> & { readonly actions?: number; readonly largest?: number } = {}): Promise<Mta> {
    const { advisor } = this.story.relay;
    const router = createRouter({
      advisor,
      log: silentLog,
      onFailure: 'tempfail',
      hold: null,
      carriesMembers: false,
      hostname: 'mx.example.org',
      ...options,
    });
    const milter = createMilter(router, {
      clock: this.story.clock,
      actions: routerActions,
      body: () => advisor.keepsContent(),
      recipients: () => advisor.refusesByEnvelope(),
      fewReplies: true,
      onFailure: options.onFailure ?? 'tempfail',
      ...(largest === undefined ? {} : { limits: { message: largest } }),
    });
    this.#undo.defer(() => milter.close());
    const at = await milter.listen({ host: '127.0.0.1', port: 0 });
    const mta = await Mta.dial(
      { host: '127.0.0.1', port: 'port' in at ? at.port : 0 },
      { version: 6, actions, protocol: 0x1fffff },
    );
    this.#undo.defer(async () => mta.close());
    await mta.hello();
    return mta;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#undo.disposeAsync();
  }
}
