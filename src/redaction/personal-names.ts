/**
 * Names of what belongs to one person: how fields, labels in text and people's own words call it, in English, German, French, Spanish, Italian, Polish
 * and Portuguese. Written from knowledge of the languages, never from the text of a benchmark. Names of people, addresses, telephone numbers and
 * birthdays are not among them: to send those is daily work.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";

/** Kinds of personal and secret data that are recognised without a declaration. */
export const personalKinds = [
  "passport",
  "identity-card",
  "national-id",
  "tax-id",
  "birth-date",
  "bank-account",
  "card",
  "pay",
  "health",
  "credential",
] as const;

/** One kind of personal or secret data. */
export type PersonalKind = (typeof personalKinds)[number];

/** What people call each kind, for those who are asked about a call. */
export const kindWords: Readonly<Record<PersonalKind, string>> = {
  passport: "a passport number",
  "identity-card": "the number of an identity document",
  "national-id": "a national identification or social security number",
  "tax-id": "a tax number",
  "birth-date": "a date of birth",
  "bank-account": "a bank account",
  card: "a payment card",
  pay: "somebody's pay",
  health: "data about somebody's health",
  credential: "a password or another secret",
};

/** The category of `Label` that each kind belongs to. */
export const kindCategories: Readonly<Record<PersonalKind, "personal" | "health" | "credential">> = {
  passport: "personal",
  "identity-card": "personal",
  "national-id": "personal",
  "tax-id": "personal",
  "birth-date": "personal",
  "bank-account": "personal",
  card: "personal",
  pay: "personal",
  health: "health",
  credential: "credential",
};

/** Words of a name in plain small letters, one space between; a compound may stand joined (`passportnumber`) as well. */
const names: Readonly<Record<PersonalKind, readonly string[]>> = {
  passport:
    list(`passport, reisepass, reisepassnummer, passnummer, passeport, numero de passeport, pasaporte, numero de pasaporte, passaporto,
    numero di passaporto, numero passaporto, paszport, paszportu, numer paszportu, passaporte, numero do passaporte`),
  "identity-card":
    list(`identity card, id card, national identity card, identity document, drivers license, driver license, driving license,
    drivers licence, driver licence, driving licence, personalausweis, personalausweisnummer, ausweisnummer, fuhrerschein,
    fuhrerscheinnummer, carte d identite, cni, permis de conduire, dni, documento nacional de identidad, carnet de conducir, carta d identita, patente di guida,
    dowod osobisty, dowodu osobistego, numer dowodu, prawo jazdy, cartao de cidadao, carteira de identidade, residence permit, aufenthaltstitel`),
  "national-id":
    list(`social security, ssn, national insurance, nino, national id, national identification, national identity, personal identity,
    personal identification, citizen id, social insurance, sozialversicherung, sozialversicherungsnummer, rentenversicherungsnummer, versichertennummer, ahv nummer, securite sociale,
    numero de securite sociale, nir, seguridad social, numero de seguridad social, codice fiscale, pesel, numer pesel, bsn, burgerservicenummer, personnummer,
    fodselsnummer, cpf, aadhaar, curp, medicare number, health insurance number`),
  "tax-id": list(`tax id, tax identification, tax identifier, taxpayer id, tax number, tax file, steuer id, steueridentifikationsnummer,
    steuernummer, steuer identifikationsnummer, numero fiscal, numero d identification fiscale, identificacion fiscal, numero de identificacion fiscal, tin number`),
  "birth-date": list(`date of birth, birth date, birthdate, dob, geburtsdatum, date de naissance, fecha de nacimiento, data di nascita,
    data urodzenia, data de nascimento, geboortedatum`),
  "bank-account": list(`bank account, account number, bank details, iban, bban, kontonummer, bankverbindung, bankkonto, compte bancaire,
    numero de compte, coordonnees bancaires, cuenta bancaria, numero de cuenta, datos bancarios, conto bancario, numero di conto, conto corrente, coordinate bancarie,
    konto bankowe, numer konta, rachunek bankowy, numer rachunku, conta bancaria, numero da conta, routing number, clabe`),
  card: list(`credit card, debit card, payment card, card number, bank card, cc number, kreditkarte, kreditkartennummer, kartennummer,
    carte de credit, carte bancaire, carte bleue, numero de carte, tarjeta de credito, tarjeta de debito, numero de tarjeta, carta di credito, numero della carta,
    numero carta, karta kredytowa, karty kredytowej, numer karty, cartao de credito, numero do cartao, card verification, cvv, cvc, cvv2, cvc2`),
  pay: list(`salary, annual salary, base salary, wage, wages, annual income, monthly income, net pay, gross pay, gehalt, jahresgehalt, monatsgehalt,
    bruttogehalt, nettogehalt, monatslohn, jahreseinkommen, salaire, salario, sueldo, nomina, stipendio, wynagrodzenie, pensja`),
  health:
    list(`diagnosis, diagnoses, medical condition, medical conditions, health condition, medical history, medical record, medication, medications,
    prescription, prescriptions, blood type, blood group, allergies, disability, hiv status, lab result, diagnose, diagnosen, blutgruppe, medikament, medikamente,
    vorerkrankungen, krankheit, allergien, antecedents medicaux, groupe sanguin, ordonnance, maladie, medicaments, diagnostico, diagnosticos, grupo sanguineo, medicacion,
    enfermedad, alergias, historial medico, diagnosi, gruppo sanguigno, farmaci, malattia, diagnoza, rozpoznanie, grupa krwi, leki, choroba, choroby`),
  credential:
    list(`password, passwd, passcode, passphrase, passwort, kennwort, mot de passe, contrasena, haslo, senha, parola d ordine, pin, pin code, puk,
    api key, access key, secret key, private key, client secret, access token, auth token, refresh token, session token, bearer token, otp, one time password,
    one time code, verification code, recovery code, recovery codes, backup code, backup codes, security answer, security code, seed phrase, recovery phrase,
    sicherheitscode, bestatigungscode, code de verification, code de securite, codigo de verificacion, codigo de seguridad, kod weryfikacyjny`),
};

function list(text: string): readonly string[] {
  return text.split(",").map((name) => name.trim().replace(/\s+/g, " "));
}

// What may follow such a name without changing what it names.
const suffix = "(?: ?(?:numbers?|no|nr|num|numero|numer|nummer|code|value|id|digits|card|details))?";
// Names that say only that somebody is identified: what is beside them has to prove itself.
const vague =
  /(?:^| )(?:id|identity|identification|identifier|document|citizen|person|personal|national|insurance|ausweis|identificacion|documento|identifiant|identyfikator)(?: (?:number|no|nr|numero|nummer|code|id))$/;
const vagueParts = /^(?:number|no|nr|numero|numer|nummer|code|value|id)$/;

const kindsByName = new Map(
  personalKinds.flatMap((kind) => names[kind].flatMap((name) => [name, name.replaceAll(" ", "")].map((form) => [form, kind] as const))),
);

/** Every name, as it may stand in a text: its words apart, joined, with a hyphen or an underscore. Plain small letters. */
export const namesInText: readonly string[] = [
  ...new Set(
    [...kindsByName.keys()].flatMap((name) => (name.includes(" ") ? [name, name.replaceAll(" ", "-"), name.replaceAll(" ", "_")] : [name])),
  ),
];

/** One word of every name, the longest: a text without any of them holds no name, unless its letters have marks. */
export const wordsOfNames: readonly string[] = [
  ...new Set(
    [...kindsByName.keys()].map((name) => name.split(" ").reduce((longest, word) => (word.length > longest.length ? word : longest))),
  ),
];

/** The kind that a name as it stands in a text is of. */
export function kindOfName(name: string): PersonalKind | undefined {
  return kindsByName.get(name.replaceAll(/[-_]/g, " "));
}

const endsInName = new RegExp(`(?:^| )(${[...kindsByName.keys()].sort((left, right) => right.length - left.length).join("|")})${suffix}$`);
const anyName = Object.fromEntries(
  personalKinds.map((kind) => [kind, new RegExp(`(?<![a-z0-9])(?:${names[kind].join("|")})(?:s|nummer|es)?(?![a-z0-9])`)]),
) as Readonly<Record<PersonalKind, RegExp>>;

/** What the name of a field says of its value. */
export interface NamedField {
  /** The kind it is called; undefined where the name says only that somebody is identified. */
  readonly kind: PersonalKind | undefined;
}

const known = new Map<string, NamedField | undefined>();

/** What the name of a field, or a label in front of a value, says of it; undefined where it says nothing of the sort. `above`: name of what it lies in. */
export function fieldKind(field: string, above = ""): NamedField | undefined {
  const key = `${above}\u0000${field}`;
  if (known.has(key)) return known.get(key);
  const found = findKind(plainWords(field), above);
  // Names of fields repeat; those that somebody makes up by the thousand are worked out each time.
  if (known.size < fixedBounds.fieldNamesKnownMax) known.set(key, found);
  return found;
}

function findKind(name: string, above: string): NamedField | undefined {
  if (name === "" || name.length > fixedBounds.memberNameCharsMax) return undefined;
  const match = endsInName.exec(name);
  if (match !== null) return { kind: kindsByName.get(match[1] as string) };
  if (vagueParts.test(name) && above !== "") return findKind(`${plainWords(above)} ${name}`, "");
  return vague.test(name) ? { kind: undefined } : undefined;
}

/** Whether folded words name a kind of data. */
export function namesKind(words: string, kind: PersonalKind): boolean {
  return anyName[kind].test(plainLetters(words));
}

/** `dateOfBirth`, `Date_of_birth` and `Date of birth (d/m/y)` as `date of birth`. */
export function plainWords(name: string): string {
  return plainLetters(
    name
      .replace(/\([^)]{0,40}\)\s*$/, "")
      .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
      .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
      .toLowerCase(),
  )
    .replace(/[^a-z0-9]+/g, " ")
    .trim();
}

// oxlint-disable-next-line no-control-regex -- telling plain ASCII apart is the point.
const onlyAscii = /^[\x00-\x7f]*$/;

/**
 * Letters without their marks: `ä` as `a`, `ł` as `l`, `ß` as `s`. Expects small letters. Every character stays one, so that places in the text stay
 * where they are.
 */
export function plainLetters(text: string): string {
  return onlyAscii.test(text) ? text : text.replace(/[ß-ʯḀ-ỿ’]/g, plainLetter);
}

function plainLetter(letter: string): string {
  return alike[letter] ?? (letter.normalize("NFD")[0] as string);
}

const alike: Readonly<Record<string, string>> = { ł: "l", ø: "o", đ: "d", ß: "s", æ: "a", œ: "o", ı: "i", "’": "'" };
