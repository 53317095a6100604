/** A sleep that ends early when it is woken. */
export interface InterruptibleSleep {
  /** Ends the sleep. A wake-up without a sleeper is remembered: the next sleep returns at once. */
  readonly wake: () => void;
  readonly sleep: (milliseconds: number) => Promise<void>;
}

export function createInterruptibleSleep(): InterruptibleSleep {
  let isAwake = false;
  let end: (() => void) | null = null;

  return {
    wake() {
      isAwake = true;
      end?.();
    },
    async sleep(milliseconds) {
      if (!isAwake && milliseconds > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds);
          end = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        end = null;
      }
      isAwake = false;
    },
  };
}
