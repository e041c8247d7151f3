const monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const datePattern = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;

/**
 * Wall time in milliseconds of an HTTP date such as `Sun, 06 Nov 1994 08:49:37 GMT`: the one form that senders may generate (RFC 9110 section
 * 5.6.7). Undefined for anything else.
 */
export function parseHttpDate(text: string): number | undefined {
  const match = datePattern.exec(text);
  if (match === null) return undefined;
  const month = monthNames.indexOf(match[2] as string);
  const numbers = [match[1], match[3], match[4], match[5], match[6]].map(Number) as [number, number, number, number, number];
  const [day, year, hours, minutes, seconds] = numbers;
  if (month < 0 || day < 1 || day > 31 || hours > 23 || minutes > 59 || seconds > 60) return undefined;
  return Date.UTC(year, month, day, hours, minutes, seconds);
}
