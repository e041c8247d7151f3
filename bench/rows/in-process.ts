/** Row `in-process`: CPU of a governed call on the memory store, from a model's message to the provider's form, over the floor. */
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import { floorCall } from "../floors/in-process.ts";
import { atMost, cpuMicros, print } from "../measure.ts";
import { argumentsText, caller, expectResult, modelMessage, result, standardOptions, standardTool } from "../standard-call.ts";

const roundsCount = 9;
const callsCount = 10_000;

const box = await createSignalbox(standardOptions(standardTool("read")));
const session = await box.session(caller);
const messages = Array.from({ length: 256 }, (_, index) => modelMessage(index));
const texts = Array.from({ length: 256 }, (_, index) => argumentsText(index));

async function governed(): Promise<void> {
  for (let index = 0; index < callsCount; index += 1) {
    const answers = await session.turn().answer("openai-chat", messages[index & 255]);
    if (index === 0) expectResult(answers);
  }
}

function floor(): void {
  for (let index = 0; index < callsCount; index += 1) floorCall(texts[index & 255] as string, result);
}

await governed();
floor();
let callMicros = Number.POSITIVE_INFINITY;
let floorMicros = Number.POSITIVE_INFINITY;
for (let round = 0; round < roundsCount; round += 1) {
  floorMicros = Math.min(floorMicros, await cpuMicros(callsCount, floor));
  callMicros = Math.min(callMicros, await cpuMicros(callsCount, governed));
}
await box.close();
print({
  rows: [
    atMost("in-process", callMicros / floorMicros, "× floor", 4, `${callMicros.toFixed(1)} µs a call, floor ${floorMicros.toFixed(1)} µs`),
  ],
  notMeasured: ["in-process: a look-up of facts, a cut result, repairs, observers, several calls of one turn"],
});
