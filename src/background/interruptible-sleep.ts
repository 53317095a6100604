/** A sleep that can be cut short. A ring while nobody sleeps cuts the next sleep short, so that none is missed. */
export function createAlarm(): {
  ring: () => void;
  wait: (milliseconds: number) => Promise<void>;
} {
  let rung = false;
  let wakeUp: (() => void) | null = null;

  return {
    ring() {
      rung = true;
      wakeUp?.();
    },
    async wait(milliseconds) {
      if (!rung && milliseconds > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds);
          wakeUp = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wakeUp = null;
      }
      rung = false;
    },
  };
}
