"""
GENREG's trust over the generations
===================================

GENREG as published, on the 8x8 digits: 200 networks earn trust for correct predictions, and the most trusted fifth
reproduces. A child begins with a small part of its parents' trust and earns the rest in one generation, so trust
follows accuracy closely. See :doc:`/methods` for the rules and :doc:`/deviations` for where the published texts
contradict each other.
"""

import matplotlib.pyplot as plt

from genreg_np import TrainConfig, Watcher, load_dataset, train

records = []
config = TrainConfig.from_preset("seed-mnist-64", generations=200, validate_every=5)
result = train(config, load_dataset("digits"), watcher=Watcher(on_record=records.append))
print(f"test accuracy of the best genome {result.test['best'].accuracy:.1%}")
print(f"test accuracy of the survivors' mean weights {result.test['consensus'].accuracy:.1%}")

# %%
# Left: trust of the best genome, and the population's mean. Right: validation accuracy of the best genome, and of the
# consensus, the survivors' mean weights.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
generations = [record["generation"] for record in records]
left.plot(generations, [record["best_trust"] for record in records], label="best genome")
left.plot(generations, [record["mean_trust"] for record in records], label="mean of 200 genomes")
left.set(xlabel="generation", ylabel="trust")
left.legend(frameon=False)

looks = [record for record in records if "validation_accuracy" in record]
right.plot([r["generation"] for r in looks], [100 * r["validation_accuracy"] for r in looks], label="best genome")
right.plot(
    [r["generation"] for r in looks], [100 * r["consensus_validation_accuracy"] for r in looks], label="consensus"
)
right.set(xlabel="generation", ylabel="validation accuracy, %", ylim=(0, 100))
right.legend(frameon=False)
plt.show()
