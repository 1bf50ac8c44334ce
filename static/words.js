// The words that scripts say, which the page brings in its own language, and how numbers are written in it.

const messages = JSON.parse(document.querySelector('meta[name="words"]').content);
const language = document.documentElement.lang;
const form = new Intl.PluralRules(language);

/** The message of this name, its `%(placeholders)s` filled with these values. */
export function words(name, values = {}) {
  return filled(messages[name], values);
}

/** The message of this name in the form that a number needs. */
export function counted(name, number) {
  const forms = messages[name];
  return filled(forms[form.select(number)] ?? forms.other, { number: written(number) });
}

/** A number with the separators of the language. */
export function written(number) {
  return number.toLocaleString(language);
}

/** The two parts of a message around a placeholder, for what is no text, such as a link. */
export function around(name, placeholder) {
  return messages[name].split(`%(${placeholder})s`);
}

function filled(message, values) {
  return message.replace(/%\((\w+)\)s/g, (_, name) => values[name]);
}
