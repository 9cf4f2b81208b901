LEARNT = {}
