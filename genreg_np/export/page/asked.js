// Every change of a field is answered at once.

new Fields(model, answer);
