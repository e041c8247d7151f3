import type { Json, JsonObject } from "../../src/domain/json.ts";
import { calculated } from "./calculate.ts";
import { refuse, type Database, type DataTool, type DomainPort } from "./domain.ts";

type Cabin = "basic_economy" | "economy" | "business";

interface FlightOnDate {
  readonly status: string;
  readonly actual_arrival_time_est?: string;
  readonly available_seats?: Readonly<Record<Cabin, number>>;
  readonly prices?: Readonly<Record<Cabin, number>>;
}

interface Flight {
  readonly flight_number: string;
  readonly origin: string;
  readonly destination: string;
  readonly scheduled_departure_time_est: string;
  readonly scheduled_arrival_time_est: string;
  readonly dates: Readonly<Record<string, FlightOnDate>>;
}

interface FlightChoice {
  readonly flight_number: string;
  readonly date: string;
}

interface Segment extends FlightChoice {
  readonly origin: string;
  readonly destination: string;
  readonly price: number;
}

interface Payment {
  readonly payment_id: string;
  readonly amount: number;
}

interface Reservation {
  readonly reservation_id: string;
  readonly user_id: string;
  readonly origin: string;
  readonly destination: string;
  readonly flight_type: string;
  readonly cabin: Cabin;
  flights: readonly Segment[];
  passengers: readonly Json[];
  readonly payment_history: Payment[];
  readonly created_at: string;
  total_baggages: number;
  nonfree_baggages: number;
  readonly insurance: string;
  status?: string;
}

interface Method {
  readonly source: string;
  readonly id: string;
  amount?: number;
}

interface User {
  readonly payment_methods: Record<string, Method>;
  readonly membership: string;
  readonly reservations: string[];
}

interface Airline {
  readonly flights: Readonly<Record<string, Flight>>;
  readonly reservations: Record<string, Reservation>;
  readonly users: Readonly<Record<string, User>>;
}

/** The database, and what it forgets: the reservation system changes flights to another cabin and leaves the reservation's own cabin as it was. */
interface Data extends Airline {
  readonly cabins: Map<string, Cabin>;
}

type Booking = Omit<Reservation, "reservation_id" | "flights" | "payment_history" | "created_at" | "status"> & {
  readonly flights: readonly FlightChoice[];
  readonly payment_methods: readonly Payment[];
};

/** When the data's conversations take place. */
const now = "2024-05-15T15:00:00";

const cities: Readonly<Record<string, string>> = {
  SFO: "San Francisco",
  JFK: "New York",
  LAX: "Los Angeles",
  ORD: "Chicago",
  DFW: "Dallas",
  DEN: "Denver",
  SEA: "Seattle",
  ATL: "Atlanta",
  MIA: "Miami",
  BOS: "Boston",
  PHX: "Phoenix",
  IAH: "Houston",
  LAS: "Las Vegas",
  MCO: "Orlando",
  EWR: "Newark",
  CLT: "Charlotte",
  MSP: "Minneapolis",
  DTW: "Detroit",
  PHL: "Philadelphia",
  LGA: "LaGuardia",
};

const ofReservation: JsonObject = {
  type: "object",
  properties: { reservation_id: { type: "string" } },
  required: ["reservation_id"],
  additionalProperties: false,
};

/** What the operator adds for the policy's facts, since the agent's tools do not tell whether a booked flight has left. No role is granted them. */
const lookups: readonly DataTool[] = [
  { name: "lookup_booking", description: "A reservation with the state of its flights.", parameters: ofReservation, write: false },
  {
    name: "lookup_route",
    description: "Where flights begin and end, in their order.",
    parameters: { type: "object", properties: { flights: { type: "array" } }, required: ["flights"], additionalProperties: false },
    write: false,
  },
  {
    name: "lookup_journeys",
    description: "What counts for compensation in each reservation of a user.",
    parameters: { type: "object", properties: { user_id: { type: "string" } }, required: ["user_id"], additionalProperties: false },
    write: false,
  },
];

/** The tools of the airline domain; none of them asks who is calling. */
export const airline: DomainPort = { lookups, tools };

function tools(database: Database): Readonly<Record<string, (args: never) => unknown>> {
  const data: Data = { ...(database as unknown as Airline), cabins: new Map() };
  return {
    get_user_details: ({ user_id }: { user_id: string }) => found(data.users, user_id, "user"),
    get_reservation_details: ({ reservation_id }: { reservation_id: string }) => found(data.reservations, reservation_id, "user"),
    list_all_airports: () => cities,
    search_direct_flight: (wanted: Search) => direct(data, wanted),
    search_onestop_flight: (wanted: Search) => withOneStop(data, wanted),
    calculate: ({ expression }: { expression: string }) => calculated(expression),
    think: () => "",
    transfer_to_human_agents: () => "Transfer successful",
    book_reservation: (booking: Booking) => book(data, booking),
    cancel_reservation: ({ reservation_id }: { reservation_id: string }) => cancel(found(data.reservations, reservation_id, "reservation")),
    send_certificate: (args: { user_id: string; amount: number }) => sendCertificate(data, args),
    update_reservation_baggages: (args: BaggageChange) => changeBaggage(data, args),
    update_reservation_flights: (args: FlightChange) => changeFlights(data, args),
    update_reservation_passengers: ({ reservation_id, passengers }: { reservation_id: string; passengers: readonly Json[] }) => {
      const reservation = found(data.reservations, reservation_id, "reservation");
      if (passengers.length !== reservation.passengers.length) refuse("number of passengers does not match");
      reservation.passengers = passengers;
      return reservation;
    },
    lookup_booking: ({ reservation_id }: { reservation_id: string }) => bookingFacts(data, reservation_id),
    lookup_route: ({ flights }: { flights: readonly FlightChoice[] }) =>
      flights.map(({ flight_number }) => {
        const { origin, destination } = found(data.flights, flight_number, `flight ${flight_number}`);
        return { origin, destination };
      }),
    lookup_journeys: ({ user_id }: { user_id: string }) =>
      found(data.users, user_id, "user").reservations.map((id) => bookingFacts(data, id)),
  };
}

function found<Entity>(table: Readonly<Record<string, Entity>>, id: string, what: string): Entity {
  return (Object.hasOwn(table, id) ? table[id] : undefined) ?? refuse(`${what} not found`);
}

function bookingFacts({ reservations, flights, users, cabins }: Data, id: string) {
  const { user_id, cabin, insurance, created_at, origin, destination, flight_type, total_baggages, ...rest } = found(
    reservations,
    id,
    "reservation",
  );
  return {
    user_id,
    cabin: cabins.get(id) ?? cabin,
    insurance,
    created_at,
    origin,
    destination,
    flight_type,
    total_baggages,
    passengers: rest.passengers.length,
    membership: users[user_id]?.membership ?? "regular",
    flights: rest.flights.map(({ flight_number, date }) => ({ flight_number, date })),
    statuses: rest.flights.map(({ flight_number, date }) => flights[flight_number]?.dates[date]?.status ?? "unknown"),
    is_late: rest.flights.some((flight) => isLate(flights[flight.flight_number], flight.date)),
  };
}

/** Whether a flight is delayed, or landed more than a quarter of an hour after its time, which is when airlines count it as late. */
function isLate(flight: Flight | undefined, date: string): boolean {
  const onDate = flight?.dates[date];
  if (flight === undefined || onDate?.actual_arrival_time_est === undefined) return onDate?.status === "delayed";
  const [time = "", days = "0"] = flight.scheduled_arrival_time_est.split("+");
  return Date.parse(`${onDate.actual_arrival_time_est}Z`) - Date.parse(`${date}T${time}Z`) - Number(days) * 86_400_000 > 15 * 60_000;
}

interface Search {
  readonly origin: string;
  readonly destination: string;
  readonly date: string;
}

function without(flight: Flight): Omit<Flight, "dates"> {
  const { dates: _, ...rest } = flight;
  return rest;
}

function direct({ flights }: Airline, { origin, destination, date }: Search): readonly object[] {
  return Object.values(flights)
    .filter((flight) => flight.origin === origin && flight.destination === destination && flight.dates[date]?.status === "available")
    .map((flight) => ({ ...without(flight), ...flight.dates[date] }));
}

function withOneStop({ flights }: Airline, { origin, destination, date }: Search): readonly object[] {
  const all = Object.values(flights);
  return all
    .filter((first) => first.origin === origin)
    .flatMap((first) =>
      all
        .filter((second) => second.destination === destination && first.destination === second.origin)
        .flatMap((second) => {
          const isNextDay = first.scheduled_arrival_time_est.includes("+1");
          const date2 = isNextDay ? `2024-05-${Number(date.slice(-2)) + 1}` : date;
          if (first.scheduled_arrival_time_est > second.scheduled_departure_time_est) return [];
          if (first.dates[date]?.status !== "available" || second.dates[date2]?.status !== "available") return [];
          // The second flight's seats and prices are those of the first day in the data's own tool.
          return [
            [
              { ...without(first), ...first.dates[date], date },
              { ...without(second), ...second.dates[date], date: date2 },
            ],
          ];
        }),
    );
}

/** The seat on one flight as booked, with its price. */
function seat({ flights }: Airline, { flight_number, date }: FlightChoice, cabin: Cabin, passengers: number): Segment {
  const flight = found(flights, flight_number, `flight ${flight_number}`);
  const onDate = flight.dates[date] ?? refuse(`flight ${flight_number} not found on date ${date}`);
  if (onDate.status !== "available") refuse(`flight ${flight_number} not available on date ${date}`);
  if ((onDate.available_seats?.[cabin] ?? 0) < passengers) refuse(`not enough seats on flight ${flight_number}`);
  return { flight_number, date, price: onDate.prices?.[cabin] ?? 0, origin: flight.origin, destination: flight.destination };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function book(data: Airline, { payment_methods, ...booking }: Booking): Reservation {
  const user = found(data.users, booking.user_id, "user");
  const id = ["HATHAT", "HATHAU"].find((free) => !Object.hasOwn(data.reservations, free)) ?? "HATHAV";
  const count = booking.passengers.length;
  const flights = booking.flights.map((flight) => seat(data, flight, booking.cabin, count));
  const price =
    sum(flights.map((flight) => flight.price)) * count + (booking.insurance === "yes" ? 30 * count : 0) + 50 * booking.nonfree_baggages;
  for (const { payment_id, amount } of payment_methods) {
    const method = found(user.payment_methods, payment_id, `payment method ${payment_id}`);
    if (method.source !== "credit_card" && (method.amount ?? 0) < amount) refuse(`not enough balance in payment method ${payment_id}`);
  }
  const paid = sum(payment_methods.map(({ amount }) => amount));
  if (paid !== price) refuse(`payment amount does not add up, total price is ${price}, but paid ${paid}`);
  for (const { payment_id, amount } of payment_methods) {
    const method = user.payment_methods[payment_id] as Method;
    if (method.source === "gift_card") method.amount = (method.amount ?? 0) - amount;
    else if (method.source === "certificate") delete user.payment_methods[payment_id];
  }
  const reservation: Reservation = { ...booking, reservation_id: id, flights, payment_history: [...payment_methods], created_at: now };
  data.reservations[id] = reservation;
  user.reservations.push(id);
  return reservation;
}

function cancel(reservation: Reservation): Reservation {
  reservation.payment_history.push(...reservation.payment_history.map(({ payment_id, amount }) => ({ payment_id, amount: -amount })));
  reservation.status = "cancelled";
  return reservation;
}

function sendCertificate({ users }: Airline, { user_id, amount }: { readonly user_id: string; readonly amount: number }): string {
  const { payment_methods } = found(users, user_id, "user");
  const id = [3_221_322, 3_221_323, 3_221_324].map((each) => `certificate_${each}`).find((each) => !Object.hasOwn(payment_methods, each));
  if (id === undefined) return refuse("too many certificates");
  payment_methods[id] = { source: "certificate", amount, id };
  return `Certificate ${id} added to user ${user_id} with amount ${amount}.`;
}

/** Takes what a change costs, or gives back what it saves. */
function settle({ users }: Airline, reservation: Reservation, payment_id: string, amount: number): void {
  const method = found(found(users, reservation.user_id, "user").payment_methods, payment_id, "payment method");
  if (method.source === "certificate") refuse("certificate cannot be used to update reservation");
  if (method.source === "gift_card") {
    if ((method.amount ?? 0) < amount) refuse("gift card balance is not enough");
    method.amount = (method.amount ?? 0) - amount;
  }
  if (amount !== 0) reservation.payment_history.push({ payment_id, amount });
}

interface BaggageChange {
  readonly reservation_id: string;
  readonly total_baggages: number;
  readonly nonfree_baggages: number;
  readonly payment_id: string;
}

function changeBaggage(data: Airline, { reservation_id, total_baggages, nonfree_baggages, payment_id }: BaggageChange): Reservation {
  const reservation = found(data.reservations, reservation_id, "reservation");
  settle(data, reservation, payment_id, 50 * Math.max(0, nonfree_baggages - reservation.nonfree_baggages));
  Object.assign(reservation, { total_baggages, nonfree_baggages });
  return reservation;
}

interface FlightChange {
  readonly reservation_id: string;
  readonly cabin: Cabin;
  readonly flights: readonly FlightChoice[];
  readonly payment_id: string;
}

function changeFlights(data: Data, { reservation_id, cabin, flights, payment_id }: FlightChange): Reservation {
  const reservation = found(data.reservations, reservation_id, "reservation");
  const count = reservation.passengers.length;
  const changed = flights.map((choice) => {
    const kept = reservation.flights.find(
      ({ flight_number, date }) => flight_number === choice.flight_number && date === choice.date && cabin === reservation.cabin,
    );
    if (kept === undefined) return seat(data, choice, cabin, count);
    const { origin, destination, price } = kept;
    return { ...choice, price, origin, destination };
  });
  const priceOf = (segments: readonly Segment[]): number => sum(segments.map(({ price }) => price)) * count;
  settle(data, reservation, payment_id, priceOf(changed) - priceOf(reservation.flights));
  reservation.flights = changed;
  data.cabins.set(reservation_id, cabin);
  return reservation;
}
