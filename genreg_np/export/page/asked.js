// Every change of a field is a question.

new Fields(model, answer);
